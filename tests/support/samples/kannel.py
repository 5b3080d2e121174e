"""Access logs of Kannel's bearerbox."""

from tests.support.filter_logs import lab
from tests.support.samples.forms import ADDRESS, ID, LINK, NUMBER, SENDER, TEXT, Canaries, Log, Samples, at


def kannel(
    n: int,
    sender: str = "SHOP",
    recipient: str = "35799000001",
    smsc: str = "HUB",
    service: str = "seller",
    account: str = "seller",
    text: str = "hello",
    foreign: str = "",
    meta: str = "",
) -> str:
    return (
        f"{at(n):%Y-%m-%d %H:%M:%S} Sent SMS [SMSC:{smsc}] [SVC:{service}] [ACT:{account}] [BINF:]"
        f" [FID:{foreign}] [META:?smpp?{meta}] [from:{sender}] [to:{recipient}] [flags:-1:0:-1:-1:31]"
        f" [msg:{len(text)}:{text}] [udh:0:]\n"
    )


def kannel_delivery(
    n: int,
    sender: str = "SHOP",
    recipient: str = "",
    state: str = "UNDELIV",
    foreign: str = "",
    code: str = "011",
) -> str:
    """An SMS and the report of its delivery."""
    recipient, foreign = recipient or f"3579900{n:04d}", foreign or f"f{n}"
    text = (
        f"id:{foreign} sub:001 dlvrd:000 submit date:2611241200 done date:2611241201 stat:{state} err:{code}"
    )
    shared = f"[SMSC:HUB] [SVC:seller] [ACT:] [BINF:] [FID:{foreign}]"
    return (
        f"{at(n):%Y-%m-%d %H:%M:%S} Sent SMS {shared} [META:] [from:{sender}] [to:{recipient}]"
        " [flags:-1:0:-1:-1:31] [msg:5:hello] [udh:0:]\n"
        f"{at(n + 1):%Y-%m-%d %H:%M:%S} Receive DLR {shared} [META:?orig_msg?dlr_mask=31&] [from:{sender}]"
        f" [to:{recipient}] [flags:-1:-1:-1:-1:2] [msg:{len(text)}:{text}] [udh:0:]\n"
    )


def kannel_report(n: int, reporter: str = "", text: str = "35799000003 buy melons") -> str:
    """A subscriber reports an SMS to 7726."""
    reporter = reporter or f"3579901{n:04d}"
    return (
        f"{at(n):%Y-%m-%d %H:%M:%S} Receive SMS [SMSC:HUB] [SVC:] [ACT:] [BINF:] [FID:] [META:?smpp?]"
        f" [from:{reporter}] [to:7726] [flags:-1:0:-1:0:-1] [msg:{len(text)}:{text}] [udh:0:]\n"
    )


SAMPLES = Samples(
    canaries=(
        Canaries(
            "kannel",
            kannel,
            {
                "sender": SENDER,
                "recipient": NUMBER,
                "smsc": LINK,
                "service": LINK,
                "account": (*LINK, *ADDRESS[:1]),
                "text": TEXT,
                "foreign": ID,
                "meta": TEXT[1:],
            },
            unread=("meta",),
        ),
        Canaries(
            "kannel_delivery",
            kannel_delivery,
            {"sender": SENDER, "recipient": NUMBER, "state": NUMBER[:1], "foreign": ID, "code": NUMBER[:1]},
            format="kannel",
        ),
        Canaries(
            "kannel_report",
            kannel_report,
            {"reporter": NUMBER, "text": (*TEXT, *NUMBER, *ADDRESS[:1])},
            "silver.complaint",
            format="kannel",
        ),
    ),
    logs={"kannel": Log("kannel", lab("kannel/bearerbox-access.log"))},
)
