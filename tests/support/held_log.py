"""A Postfix log of what is decided before a message has a queue file, line by line beside other sessions."""

import datetime as dt

# What ends a line of smtpd_proxy_filter, and the line before that names its client.
PROXIED = (
    "; from=<s@b.example> to=<u@own.test> proto=ESMTP helo=<h.example>",
    "smtpd[7]: NOQUEUE: client=h.example[203.0.113.9], sasl_method=PLAIN, sasl_username=ann",
)


def held_log() -> list[str]:
    """Sessions side by side: held, discarded and refused RCPTs, before and after there is a queue file, by
    access(5), by a milter and by a filter before the queue; queue ids used again, two hosts, one that sends
    three messages in a second."""

    def tail(verb: str, client: int, to: str = "u", step: str = "RCPT") -> str:
        return (
            f"{verb}: {step} from c[192.0.2.{client}]: <s@b.example>: x; from=<s@b.example> "
            f"to=<{to}@own.test> proto=SMTP helo=<h>"
        )

    def at(second: float, host: str, body: str) -> tuple[float, str]:
        stamp = dt.datetime(2026, 11, 24, 10) + dt.timedelta(seconds=second)
        return second, f"{stamp.isoformat(timespec='milliseconds')}+00:00 {host} postfix/{body}"

    lines = []
    for number in range(6):
        host, pid, client = f"mx{number % 2}", 7 + number // 2, 1 + number // 4
        for turn, verb in enumerate(("hold", "discard", "milter-discard", "hold")):
            begin, queue = 20 * turn + number / 10, f"ABCDE{(number + turn) % 4}12"
            smtpd = f"smtpd[{pid}]: "
            lines += [
                at(begin, host, f"{smtpd}NOQUEUE: {tail(verb, client)}"),
                at(begin + (0.4 if turn < 3 else 7), host, f"{smtpd}{queue}: client=c[192.0.2.{client}]"),
                at(begin + 7.5, host, f"{smtpd}{queue}: {tail('reject', client, 'no')}"),
                at(begin + 7.6, host, f"cleanup[9]: {queue}: message-id=<{number}.{turn}@b.example>"),
            ]
            if verb == "hold" and number % 3 == 0:
                lines += [
                    at(
                        begin + 7.7,
                        host,
                        f"qmgr[5]: {queue}: from=<s@b.example>, size=5, nrcpt=1 (queue active)",
                    ),
                    at(
                        begin + 7.8,
                        host,
                        f"local[6]: {queue}: to=<u@own.test>, relay=local, delay=1, dsn=2.0.0, "
                        "status=sent (delivered)",
                    ),
                ]
            gone = " (discarded)" if verb != "hold" else ""
            lines.append(at(begin + 8, host, f"cleanup[9]: {queue}: removed{gone}"))
            lines += [
                at(begin + 9, host, f"{smtpd}NOQUEUE: client=c[192.0.2.{client}]"),
                at(
                    begin + 9.1,
                    host,
                    f"{smtpd}proxy-reject: END-OF-MESSAGE: 554 5.7.0 no{PROXIED[0].replace('<u@', '<p@')}",
                ),
                at(begin + 9.2, host, f"{smtpd}NOQUEUE: {tail('reject', client, f'r{turn}')}"),
                at(begin + 9.3, host, f"{smtpd}disconnect from c[192.0.2.{client}] rcpt=0/1 commands=1/3"),
            ]
    for turn in range(3):
        lines += [
            at(100 + turn / 10, "mx0", f"smtpd[4]: NOQUEUE: {tail('hold', 9)}"),
            at(100 + turn / 10, "mx0", f"smtpd[4]: FFFFFF{turn}: client=c[192.0.2.9]"),
        ]
    return [line for _, line in sorted(lines, key=lambda each: each[0])]
