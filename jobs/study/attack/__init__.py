"""The attack on a release: what can be found out about single holdings from all that was ever published.

It shares no code with the gate or the estimator (import-linter holds that). It knows the frame of operators,
the denominators, who answered and with how many subscriptions, all releases, and the contributions of the
holding that attacks.

Only public imports it.
"""
