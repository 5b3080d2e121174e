"""Lines of OpenDKIM and OpenDMARC."""

import re

from tests.support.filter_logs import lab
from tests.support.samples.forms import HOST, Canaries, Log, Samples, syslog


def opendkim(n: int, domain: str = "shop.example", signer: str = "shop.example") -> str:
    id = f"4cYrX{n:05d}z1fQ"
    return (
        syslog(
            n, "opendkim[77]", f"{id}: key retrieval failed (s=k1, d={signer}): 'k1._domainkey.{signer}' gone"
        )
        + syslog(n, "opendmarc[79]", f"{id}: SPF(mailfrom): {domain} pass")
        + syslog(n, "opendmarc[79]", f"{id}: {domain} fail")
    )


SAMPLES = Samples(
    canaries=(
        Canaries(
            "opendkim",
            opendkim,
            {"domain": HOST, "signer": HOST},
            "silver.verdict",
            ("signer",),
            within="postfix",
        ),
    ),
    # What syslog gives a file of its own.
    files={
        "opendkim": Log(
            "opendkim",
            [
                line
                for line in lab("postfix/mail.iso8601.log")
                if re.search(r" open(?:dkim|dmarc)\[\d+\]: ", line)
            ],
        )
    },
    joins_records=True,
)
