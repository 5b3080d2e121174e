"""Records of calls and instant messages by programs that speak SIP: Kamailio, OpenSIPS, Asterisk."""
