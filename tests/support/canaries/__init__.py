"""Logs of every format with identifiers planted in them (forms.py), and the search for these."""

from tests.support.canaries import calls, filters, mail, reports, sms
from tests.support.canaries.forms import PLANTED, TOKEN, Log

__all__ = ["LOGS", "PLANTED", "TOKEN", "Log"]

LOGS = (*mail.LOGS, *filters.LOGS, *sms.LOGS, *calls.LOGS, *reports.LOGS)
