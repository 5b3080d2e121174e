"""Keyword rules in the six languages of the United Nations, on texts written for these tests."""

import polars as pl
import pytest

from jobs.protect import rules
from jobs.protect.message_types import type_of_texts

LANGUAGES = ("ar", "en", "es", "fr", "ru", "zh")
TEXTS: dict[str, dict[str, str]] = {
    "PHISH.smish": {
        "ar": "تنبيه: حسابك البنكي تم إيقافه، حدث بياناتك عبر الرابط",
        "en": "Dear client, your card has been suspended. Confirm your identity today",
        "es": "Aviso: su tarjeta ha sido bloqueada. Verifique sus datos aquí",
        "fr": "Votre compte est suspendu. Vérifiez vos coordonnées avant ce soir",
        "ru": "Ваша карта заблокирована. Подтвердите данные по ссылке",
        "zh": "您的银行卡已被冻结，请点击链接验证身份",
    },
    "FRAUD.lottery": {
        "ar": "مبروك! لقد ربحت جائزة قيمتها مليون ريال",
        "en": "Congratulations, you have won a prize in our draw",
        "es": "Enhorabuena, usted ha ganado un coche en el sorteo",
        "fr": "Félicitations, vous avez gagné un téléphone",
        "ru": "Поздравляем! Вы выиграли приз в нашей лотерее",
        "zh": "恭喜您中奖，请尽快领取奖品",
    },
    "FRAUD.loan": {
        "ar": "قرض فوري بدون ضمانات خلال ساعة",
        "en": "Instant loan, no papers, money in an hour",
        "es": "Préstamo rápido sin papeles en una hora",
        "fr": "Prêt rapide sans justificatif en une heure",
        "ru": "Срочный займ без справок за час",
        "zh": "无抵押贷款，秒批放款，利息低",
    },
    "FRAUD.invest": {
        "ar": "استثمر اليوم وتداول مع ارباح يومية مضمونة",
        "en": "Bitcoin trading with guaranteed daily profit",
        "es": "Trading con ganancias garantizadas cada día",
        "fr": "Trading: des gains garantis chaque semaine",
        "ru": "Инвестиции в криптовалюту: гарантированный доход",
        "zh": "股票投资稳赚不赔，加老师带单",
    },
    "AD.gambling": {
        "ar": "العب الآن في كازينو واربح",
        "en": "Play at our online casino with free spins",
        "es": "Juega en el casino en línea con giros gratis",
        "fr": "Jouez au casino en ligne, tours gratuits",
        "ru": "Онлайн казино: фриспины каждому",
        "zh": "澳门娱乐城线上赌场，注册送彩金",
    },
    "PHONE.wangiri": {
        "ar": "لديك مكالمة فائتة، اتصل على 882123456",
        "en": "You have a missed call, call back now on 88212345678",
        "es": "Tiene una llamada perdida: llame al 803123456",
        "fr": "Appel en absence: rappelez le 0899123456",
        "ru": "У вас пропущенный звонок, перезвоните 88212345",
        "zh": "您有未接来电，请回拨882123456",
    },
    "FRAUD.advance-fee": {
        "ar": "ميراث بقيمة خمسة ملايين دولار ينتظر من يستلمه",
        "en": "An inheritance of nine million dollars has no next of kin",
        "es": "Una herencia de varios millones espera a su beneficiario",
        "fr": "Un héritage de plusieurs millions attend son bénéficiaire",
        "ru": "Наследство на миллион долларов ждёт вас",
        "zh": "有一笔遗产五百万美元等您继承",
    },
    "FRAUD.impersonation": {
        "ar": "بابا، هذا رقمي الجديد، كلمني عليه",
        "en": "Hi dad, I lost my phone, write to me here",
        "es": "Hola mamá, te escribo desde mi nuevo número",
        "fr": "Coucou papa, voici mon nouveau numéro",
        "ru": "Мама, это мой новый номер, напиши сюда",
        "zh": "我是公安局的，你涉嫌洗钱",
    },
    "FRAUD.bec": {
        "ar": "أرجو تحويل بنكي عاجل الآن، أنا في اجتماع",
        "en": "Are you at your desk? I need you to do a wire to a supplier",
        "es": "Haz hoy una transferencia urgente al proveedor",
        "fr": "Il me faut un virement urgent avant midi",
        "ru": "Я на совещании, сделайте срочный платеж поставщику",
        "zh": "我正在开会，请给供应商汇款",
    },
    "AD.retail": {
        "ar": "تخفيضات تصل إلى 50% على كل الأحذية",
        "en": "Winter sale: 30% off all boots",
        "es": "Rebajas de invierno: todo con 40% menos",
        "fr": "Soldes d'hiver: 40% sur les bottes",
        "ru": "Распродажа обуви: минус 40%",
        "zh": "冬季促销，全场五折",
    },
    "AD.pharma": {
        "ar": "فياجرا بسعر الجملة",
        "en": "Cheap pills from our pharmacy",
        "es": "Medicamentos sin receta a su puerta",
        "fr": "Médicaments sans ordonnance chez vous",
        "ru": "Виагра с доставкой на дом",
        "zh": "减肥药，十天见效",
    },
    "AD.adult": {
        "ar": "تعارف مع بنات من مدينتك",
        "en": "Hot girls are waiting for your message",
        "es": "Mujeres solteras de tu barrio",
        "fr": "Des femmes coquines près de chez vous",
        "ru": "Секс знакомства без регистрации",
        "zh": "同城交友，马上见面",
    },
    "AD.finance": {
        "ar": "تأمين سيارتك بأقل الأسعار",
        "en": "Refinancing made easy: see our mortgage rates",
        "es": "Seguro de coche: calcula tu precio en un minuto",
        "fr": "Rachat de crédits: baissez vos mensualités",
        "ru": "Кредитная карта с кешбэком и льготным периодом",
        "zh": "车险续保特惠，立减三百",
    },
    "AD.political": {
        "ar": "انتخبوا مرشحكم يوم الأحد",
        "en": "Vote for our candidate in the city election",
        "es": "Vota a nuestro candidato el domingo",
        "fr": "Votez pour notre liste dimanche",
        "ru": "Голосуйте за нашего кандидата",
        "zh": "请投我们的候选人一票",
    },
    "MALWARE.link": {
        "ar": "حمل التطبيق من هنا player.apk",
        "en": "Download player.apk to see it",
        "es": "Descarga visor.apk para verlo",
        "fr": "Installez lecteur.apk pour le voir",
        "ru": "Установите player.apk, чтобы посмотреть",
        "zh": "请安装 player.apk 观看",
    },
    "PHONE.prs-irsf": {
        "ar": "اتصل بنا لتعرف حظك. سعر الدقيقة 5 ريالات",
        "en": "Horoscope of the day, 150ppm",
        "es": "Llama y conoce tu horóscopo, 1,50 €/min",
        "fr": "Appelez pour votre horoscope, 3 €/min",
        "ru": "Позвоните и узнайте гороскоп, 90 р/мин",
        "zh": "拨打热线听星座，每分钟3元",
    },
    "OTHER": {
        "ar": "تم اختراق جهازك، ادفع بالبيتكوين وإلا نشرت كل شيء",
        "en": "I recorded you with your webcam. Send bitcoin to my wallet",
        "es": "Te he grabado con tu cámara, tu equipo fue hackeado: paga en bitcoin",
        "fr": "J'ai piraté votre webcam, payez en bitcoin",
        "ru": "Я записал тебя на камеру, заплати в биткоинах",
        "zh": "我是黑客，付比特币，否则公开一切",
    },
}
# What a carrier shows in place of a caller's name. Who is called advertises; of scam it does not say which.
LABELS = {
    "AD.retail": {
        "ar": "تسويق هاتفي",
        "en": "Telemarketer",
        "es": "Televenta",
        "fr": "Démarchage",
        "ru": "Реклама",
        "zh": "推销电话",
    },
    "UNK": {
        "ar": "احتيال محتمل",
        "en": "Scam Likely",
        "es": "Posible fraude",
        "fr": "Spam probable",
        "ru": "Возможно, спам",
        "zh": "骚扰电话",
    },
}
# Types with rules on texts that TEXTS does not ask for in six languages, and why.
EXEMPT = {
    "PHISH.mail": "the rules of PHISH.smish on mail and instant messages, asked by its texts there",
    "PHISH.vish": "the rules of PHISH.smish on calls, asked by its texts there",
    "PHONE.robocall": "an English label that a carrier shows; no such label is known to us in others",
    "UNK": "labels of callers, asked in LABELS",
}
INNOCENT = {
    "ar": "نلتقي الساعة السادسة أمام المحطة",
    "en": "See you at six in front of the station",
    "es": "Nos vemos a las seis delante de la estación",
    "fr": "On se voit à six heures devant la gare",
    "ru": "Увидимся в шесть у вокзала",
    "zh": "六点在车站前见",
}
CASES = [(code, language) for code in TEXTS for language in LANGUAGES]


@pytest.mark.parametrize(("code", "language"), CASES)
@pytest.mark.parametrize(
    ("engine", "channel"),
    # Of calls, names that callers show (jobs/protect/refusal_types.py).
    [("kannel", "SMS"), ("jasmin", "SMS"), ("kamailio", "IM"), ("asterisk", "VOICE_CS")],
)
def test_a_text_in_each_language_is_typed(code: str, language: str, engine: str, channel: str) -> None:
    told = type_of_texts(pl.Series([TEXTS[code][language]]), engine, channel)
    phishing = {"SMS": "PHISH.smish", "IM": "PHISH.mail", "VOICE_CS": "PHISH.vish"}[channel]
    wanted = code.replace("PHISH.smish", phishing)
    assert wanted in told["spam_type_codes"][0]
    assert told["spam_type_code"][0] == wanted
    # A keyword says what spam is about, never that something is spam.
    assert told["is_type_strong"][0] is False


def test_every_type_that_texts_are_matched_for_is_asked_in_each_language() -> None:
    told_by_texts = {
        rule.spam_type_code for rule in rules.load_rules().types if rule.match_on == "text_regex"
    }
    assert told_by_texts - EXEMPT.keys() == TEXTS.keys()
    assert EXEMPT.keys() <= told_by_texts
    assert {tuple(sorted(texts)) for texts in (*TEXTS.values(), *LABELS.values())} == {LANGUAGES}


@pytest.mark.parametrize(("code", "language"), [(code, each) for code in LABELS for each in LANGUAGES])
def test_a_label_in_place_of_a_callers_name_is_typed(code: str, language: str) -> None:
    told = type_of_texts(pl.Series([LABELS[code][language]]), "asterisk", "VOICE_CS")
    assert (told["spam_type_code"][0], told["is_type_strong"][0]) == (code, False)
    # Nor is every word of them a label, nor a message with it.
    for text, engine, channel in (
        (f"{LABELS[code][language]} Anna Virtanen AG", "asterisk", "VOICE_CS"),
        (LABELS[code][language], "kannel", "SMS"),
    ):
        assert type_of_texts(pl.Series([text]), engine, channel)["spam_type_code"].to_list() == [None]


@pytest.mark.parametrize(
    ("label", "code"),
    [
        *(("Spam Risk", "UNK"), ("Potential Spam", "UNK"), ("Fraud Risk", "UNK"), ("SCAM LIKELY", "UNK")),
        *(
            ("Robocaller", "PHONE.robocall"),
            ("Likely telemarketer", "AD.retail"),
            ("Scam Awareness Week", None),
        ),
        *(("Risk Services Ltd", None), ("Spamer, Anna", None), ("Ann Fraude", None)),
    ],
)
def test_labels_that_carriers_show(label: str, code: str | None) -> None:
    told = type_of_texts(pl.Series([label]), "kamailio", "VOICE_IP")
    assert told["spam_type_code"].to_list() == [code]


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_innocent_text_is_not_typed(language: str) -> None:
    told = type_of_texts(pl.Series([INNOCENT[language]]), "kannel", "SMS")
    assert told["spam_type_code"].to_list() == [None]
