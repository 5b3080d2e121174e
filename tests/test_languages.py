"""Keyword rules in the six languages of the United Nations, on texts written for these tests."""

from __future__ import annotations

import polars as pl
import pytest

from jobs import rules

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
    # Of calls, names that callers show (jobs/refusal_types.py).
    [("kannel", "SMS"), ("jasmin", "SMS"), ("kamailio", "IM"), ("asterisk", "VOICE_CS")],
)
def test_a_text_in_each_language_is_typed(code: str, language: str, engine: str, channel: str) -> None:
    told = rules.type_of_texts(pl.Series([TEXTS[code][language]]), engine, channel)
    phishing = {"SMS": "PHISH.smish", "IM": "PHISH.mail", "VOICE_CS": "PHISH.vish"}[channel]
    wanted = code.replace("PHISH.smish", phishing)
    assert wanted in told["spam_type_codes"][0]
    assert told["spam_type_code"][0] == wanted
    # A keyword says what spam is about, never that something is spam.
    assert told["is_type_strong"][0] is False


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_innocent_text_is_not_typed(language: str) -> None:
    told = rules.type_of_texts(pl.Series([INNOCENT[language]]), "kannel", "SMS")
    assert told["spam_type_code"].to_list() == [None]
