"""Reports in ARF, and complaints of Microsoft's Junk Mail Reporting Program."""

from tests.support.samples.forms import ADDRESS, HOST, ID, IP, TEXT, Canaries, Samples, at


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


def junk_mail_report(
    n: int,
    reporter: str = "staff@hotmail.example",
    recipient: str = "ann@provider.example",
    ip: str = "192.0.2.10",
    sender: str = "news@shop.example",
    header: str = "deals@shop.example",
    subject: str = "hello",
    message_id: str = "",
    text: str = "Buy melons",
) -> str:
    return (
        f"From: <{reporter}>\nTo: abuse@isp.example\nSubject: complaint about message from {ip}\n"
        f"Date: {at(n):%a, %d %b %Y %H:%M:%S} +0000\nMessage-ID: <jmrp-{n}@hotmail.example>\n"
        'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="b1"\n\n--b1\n'
        f"Content-Type: message/rfc822\n\nX-HmXmrOriginalRecipient: <{recipient}>\n"
        f"Return-Path: <{sender}>\nFrom: Deals <{header}>\nTo: {recipient}\nSubject: {subject}\n"
        f"Message-ID: <{message_id or f'j{n}@shop.example'}>\nContent-Type: text/plain; charset=utf-8\n\n"
        f"{text}\n\n--b1--\n"
    )


# A header with two @ in an address is none.
HEADER = tuple(form for form in ADDRESS if form(1).count("@") == 1)


SAMPLES = Samples(
    canaries=(
        Canaries(
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
        Canaries(
            "junk_mail_report",
            junk_mail_report,
            {
                "reporter": HEADER,
                "recipient": ADDRESS,
                "ip": IP,
                "sender": ADDRESS,
                "header": HEADER,
                "subject": TEXT,
                "message_id": ID,
                "text": TEXT,
            },
            "silver.complaint",
            format="feedback",
            is_files=True,
            suffix=".eml",
        ),
    ),
)
