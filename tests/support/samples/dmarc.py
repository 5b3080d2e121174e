"""DMARC aggregate reports."""

from tests.support.samples.forms import ADDRESS, HOST, ID, IP, NOON, NUMBER, TEXT, WORD, Canaries, Samples


def dmarc(
    n: int,
    org: str = "Receiver Example",
    email: str = "reports@receiver.example",
    report: str = "",
    domain: str = "isp.example",
    ip: str = "192.0.2.10",
    comment: str = "list",
    header: str = "isp.example",
    sender: str = "bounces.isp.example",
    recipient: str = "receiver.example",
    signer: str = "isp.example",
    selector: str = "k1",
    checked: str = "isp.example",
) -> str:
    return (
        f"<feedback><report_metadata><org_name>{org}</org_name><email>{email}</email>"
        f"<report_id>{report or f'r{n}'}</report_id>"
        f"<date_range><begin>{NOON}</begin><end>{NOON + 86399}</end></date_range></report_metadata>"
        f"<policy_published><domain>{domain}</domain><p>reject</p></policy_published><record><row>"
        f"<source_ip>{ip}</source_ip><count>3</count><policy_evaluated><disposition>none</disposition>"
        "<dkim>pass</dkim><spf>fail</spf><reason><type>mailing_list</type>"
        f"<comment>{comment}</comment></reason></policy_evaluated></row><identifiers>"
        f"<envelope_to>{recipient}</envelope_to><envelope_from>{sender}</envelope_from>"
        f"<header_from>{header}</header_from></identifiers><auth_results><dkim><domain>{signer}</domain>"
        f"<selector>{selector}</selector><result>pass</result></dkim><spf><domain>{checked}</domain>"
        "<scope>mfrom</scope><result>fail</result></spf></auth_results></record></feedback>\n"
    )


SAMPLES = Samples(
    canaries=(
        Canaries(
            "dmarc",
            dmarc,
            {
                "org": (*TEXT, *NUMBER, *ADDRESS, *HOST, *IP),
                "email": ADDRESS,
                "report": ID,
                "domain": (*HOST, *ADDRESS[:1]),
                "ip": IP,
                "comment": TEXT,
                "header": (*HOST, *ADDRESS[:1]),
                "sender": (*HOST, *ADDRESS[:1]),
                "recipient": HOST,
                "signer": HOST,
                "selector": (*WORD, *NUMBER),
                "checked": HOST,
            },
            "silver.authentication_report",
            is_files=True,
            suffix=".xml",
        ),
    ),
)
