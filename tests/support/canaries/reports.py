"""Reports, and what an operator knows beside its logs."""

from __future__ import annotations

import csv
import io

from tests.support.canaries.forms import ADDRESS, HOST, ID, IP, NOON, NUMBER, SENDER, TEXT, WORD, Log, at


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


def feedback(
    n: int,
    reporter: str = "fbl@provider.example",
    agent: str = "FBL/2.0",
    sender: str = "news@shop.example",
    recipient: str = "ann@provider.example",
    ip: str = "192.0.2.10",
    reported: str = "shop.example",
    header: str = "deals@shop.example",
    subject: str = "hello",
    message_id: str = "",
    text: str = "Buy melons",
) -> str:
    return (
        f"From: Loop <{reporter}>\nTo: abuse@isp.example\nSubject: complaint\n"
        f"Date: {at(n):%a, %d %b %Y %H:%M:%S} +0000\nMessage-ID: <fbl-{n}@provider.example>\n"
        "MIME-Version: 1.0\n"
        'Content-Type: multipart/report; report-type=feedback-report; boundary="b1"\n\n--b1\n'
        "Content-Type: text/plain\n\nA complaint.\n\n--b1\nContent-Type: message/feedback-report\n\n"
        f"Feedback-Type: abuse\nUser-Agent: {agent}\nVersion: 1\nOriginal-Mail-From: <{sender}>\n"
        f"Original-Rcpt-To: <{recipient}>\nSource-IP: {ip}\nReported-Domain: {reported}\n\n--b1\n"
        f"Content-Type: message/rfc822\n\nFrom: Deals <{header}>\nTo: {recipient}\nSubject: {subject}\n"
        f"Message-ID: <{message_id or f'o{n}@shop.example'}>\nContent-Type: text/plain; charset=utf-8\n\n"
        f"{text}\n\n--b1--\n"
    )


KNOWLEDGE = "day,queue_id,message_id,sender,recipient,is_bulk"


def knowledge(n: int, **told: str) -> str:
    values = {"day": "2026-11-24", "is_bulk": "true"} | (told or {"sender": f"s{n}@shop.example"})
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow([values.get(name, "") for name in KNOWLEDGE.split(",")])
    return text.getvalue()


# A header with two @ in an address is none.
HEADER = tuple(form for form in ADDRESS if form(1).count("@") == 1)
LOGS = (
    Log(
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
    Log(
        "feedback",
        feedback,
        {
            "reporter": HEADER,
            "agent": TEXT[1:],
            "sender": ADDRESS,
            "recipient": ADDRESS,
            "ip": IP,
            "reported": HOST,
            "header": HEADER,
            "subject": TEXT,
            "message_id": ID,
            "text": TEXT,
        },
        "silver.complaint",
        is_files=True,
        suffix=".eml",
    ),
    Log(
        "knowledge",
        knowledge,
        {
            "queue_id": (*ID, *WORD),
            "message_id": ID,
            "sender": (*SENDER, *ADDRESS),
            "recipient": (*NUMBER, *ADDRESS),
        },
        "silver.operator_knowledge",
        head=KNOWLEDGE + "\n",
        suffix=".csv",
    ),
)
