"""Texts of messages: SMS by type of spam, and names for senders, subjects and hosts.

Each spam text answers to the rules of exactly one type, or of none (UNK); ham answers to no rule.
`{n}` is a small number, `{k}` one of six digits, `{c}` a short code. Texts of GSM coding are plain ASCII.
"""

SPAM_SMS: dict[str, dict[str, tuple[str, ...]]] = {
    "en": {
        "PHISH.smish": (
            "Your parcel is on hold, a fee of GBP 1.{n} is unpaid. See http://parcel-{c}.example/",
            "Your account has been locked. Sign on at http://bank-{c}.example/ [ref {k}]",
            "KYC update pending for line {k}, go on at http://kyc-{c}.example/",
        ),
        "FRAUD.lottery": (
            "You have won GBP {n}00 in our weekly game. Reply YES [ref {c}]",
            "Lucky winner! Number {k} was drawn for {c}. Reply PRIZE",
        ),
        "FRAUD.loan": (
            "Instant loans up to GBP {n}00, no papers. Reply {c}",
            "Payday loans today, ask for {c}, answer in {n} minutes",
        ),
        "AD.gambling": ("Play at our online casino tonight, table {n}: http://spin-{c}.example/",),
        "FRAUD.impersonation": (
            "Hi mum, I lost my phone. Write me on this number please, it is urgent {c}",
            "Hello dad, phone is broken, can you write to me here? {c}",
        ),
        "FRAUD.invest": ("Crypto signals with daily profits of {n} per cent. Join {c} at http://coin-{c}.example/",),
        "UNK": (
            "Act today, places are few. Reply YES{n} to join {c}",
            "You are on our list {c}. Answer JOIN {n} now",
        ),
    },
    "fr": {
        "PHISH.smish": (
            "Votre colis est en attente de livraison: http://suivi-{c}.example/{n}",
            "Votre carte vitale expire bientot, voir http://ameli-{c}.example/{n}",
            "Votre compte est suspendu [dossier {k}] http://banque-{c}.example/",
        ),
        "AD.gambling": ("Casino en ligne: jouez ce soir, table {n} http://jeu-{c}.example/",),
        "FRAUD.loan": ("Credit rapide de {n}00 EUR, repondez OUI {c}",),
        "FRAUD.lottery": ("Vous avez gagne le lot {n}, repondez OUI {c}",),
        "FRAUD.impersonation": ("Coucou maman, telephone casse, ecris moi ici vite {c}",),
        "UNK": ("Dernier jour pour vous inscrire au groupe {c}, repondez {n}",),
    },
}  # fmt: skip

# Texts in UCS-2 (coding 2); spam of one type each.
UNICODE_SPAM: dict[str, str] = {
    "FRAUD.lottery": "Вы выиграли приз № {n}, ответьте ДА {c}",
    "PHISH.smish": "Ваша карта {n} заблокирована, пишите {c}",
}
UNICODE_HAM = (
    "À bientôt, rendez-vous à {n} h près de la gare 😀",
    "Καλημέρα, φτάνω σε {n} λεπτά",
    "कल सुबह {n} बजे मिलते हैं",
    "Détails de l'itinéraire nº {n} : suivez la côte, puis tournez à gauche après la forêt et le pont",
)
HAM_SMS: dict[str, tuple[str, ...]] = {
    "en": (
        "Your one-time code is {k}",
        "Running late [about {n} min], start without me",
        "Dinner at 8? Table {n} is ours",
        "Your appointment is on Friday at {n}:15. Reply C to change it",
        "Train {n} leaves from platform [{c}] today",
        "Thanks, got it",
        "ok",
    ),
    "fr": (
        "Votre code de connexion est {k}",
        "Je serai en retard [{n} min], commencez sans moi",
        "RDV au cabinet demain, salle {n}",
        "On mange a 20h? Table {n}",
        "Le train {n} part voie [{c}]",
        "Merci, bien recu",
        "ok",
    ),
}
LONG_TAIL: dict[str, str] = {
    "en": (
        " We are glad to have you with us. The desk is open from Monday to Saturday between nine and six,"
        " and on the first Sunday of the month in the afternoon. Ask for the floor plan at the entrance,"
        " and bring this text with you so that we find your papers at once."
        " The side door is closed in winter."
    ),
    "fr": (
        " Nous sommes heureux de vous accueillir. Le guichet est ouvert du lundi au samedi de neuf heures a"
        " dix-huit heures, et le premier dimanche du mois dans la matinee. Demandez le plan a la porte et"
        " gardez ce texte avec vous pour que nous trouvions vos papiers. La porte du fond est close en hiver."
    ),
}
SERVICES: tuple[tuple[str, str, str, str], ...] = (
    ("otp", "acct-11", "tariff1", "BANKCODE"),
    ("clinic", "acct-23", "tariff1", "CLINIC"),
    ("rail", "acct-31", "tariff2", "RAIL"),
    ("retail", "acct-47", "tariff2", "SHOPNEWS"),
)
ROGUE_SERVICES: tuple[tuple[str, str, str, str], ...] = (
    ("bulkone", "acct-90", "tariff3", "INFO"),
    ("bulktwo", "acct-91", "tariff3", "NOTICE"),
)

FIRST_NAMES = (
    "anna", "bela", "chen", "dara", "elif", "femi", "gita", "hugo", "ines", "jana", "kofi", "lina", "maya",
    "nils",
    "omar", "pia", "quan", "rosa", "sami", "tara", "uma", "vera", "wen", "xenia", "yara", "zoe",
)  # fmt: skip
LAST_NAMES = (
    "adler", "bose", "cruz", "diallo", "egger", "faure", "gurung", "hoang", "ito", "joshi", "kaya", "lama",
    "moreau",
    "naidu", "okoro", "petit", "qi", "rana", "silva", "tui", "ueda", "vogel", "waqa", "xu", "yadav",
    "ziegler",
)  # fmt: skip
WORDS = (
    "amber", "basil", "cedar", "delta", "ember", "fable", "grove", "haven", "ivory", "jade", "karma", "lemon",
    "maple", "noble", "ocean", "pearl", "quest", "river", "solar", "tiger", "ultra", "vivid", "willow",
    "zenith",
)  # fmt: skip
# Header checks refuse or drop these; the words answer to no rule on the type of spam.
CHECKED_SUBJECTS = (
    "Subject: monthly circular no. {n}",
    "X-Mailer: Mass Sender {n}",
    "Subject: re: list; from {c}",
)
