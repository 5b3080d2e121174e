"""The benchmark's peer: the same gold volumes straight from the logs, as one plain DuckDB program.

    python -m benchmarks.duckdb_gold MAIL_LOG RSPAMD_LOG OUT_FOLDER

It reads ISO-stamped Postfix and Rspamd logs of one operator and writes, as Parquet, volume by outcome,
types of rejected or tagged mail, sources by network, and what each measure did. It leaves out hops through
filters, late files, the ledger, pseudonyms and validation.
"""

import sys
from pathlib import Path

import duckdb

from jobs.base.core import machine

SQL = r"""
CREATE TEMP TABLE line AS
WITH raw AS (
  SELECT line, split_part(line, ' ', 1) AS stamp, split_part(line, ' ', 3) AS tag
  FROM read_csv('{mail}', columns = {{'line': 'VARCHAR'}}, delim = '\x01', quote = '', escape = '',
                header = false, auto_detect = false, max_line_size = 2000000)
)
SELECT CAST(stamp[1:10] AS DATE) AS day, stamp, split_part(tag, '[', 1) AS daemon,
       split_part(split_part(line, ']: ', 2), ': ', 1) AS qid, line
FROM raw WHERE starts_with(tag, 'postfix/');

CREATE TEMP TABLE client AS
SELECT qid, min(stamp) AS stamp, min(day) AS day, any_value(regexp_extract(line, 'client=[^\[]*\[([^\]]*)\]', 1)) AS ip
FROM line WHERE line LIKE '%: client=%' GROUP BY qid;

CREATE TEMP TABLE delivery AS
SELECT qid, rcpt, arg_max(status, stamp) AS status FROM (
  SELECT qid, stamp, regexp_extract(line, 'to=<([^>]*)>', 1) AS rcpt, regexp_extract(line, 'status=(\w+)', 1) AS status
  FROM line WHERE line LIKE '% status=%'
) GROUP BY qid, rcpt;

CREATE TEMP TABLE refused AS
SELECT day, regexp_extract(line, 'from [^\[]*\[([^\]]*)\]', 1) AS ip,
       regexp_extract(line, 'from=<([^>]*)>', 1) AS sender, regexp_extract(line, 'to=<([^>]*)>', 1) AS rcpt,
       regexp_extract(line, '\](?::\d+)?: ([45])\d\d ', 1) AS class,
       CASE WHEN line LIKE '%blocked using%' THEN 'DNSBL' WHEN line LIKE '%reylist%' THEN 'GREYLIST'
            WHEN line LIKE '%User unknown%' THEN 'RECIPIENT_CHECK' ELSE 'OTHER' END AS measure
FROM line WHERE line LIKE '%NOQUEUE: reject:%';

CREATE TEMP TABLE milter AS
SELECT qid, any_value(regexp_extract(line, ': ([45])\.\d', 1)) AS class
FROM line WHERE line LIKE '%: milter-reject:%' GROUP BY qid;

CREATE TEMP TABLE verdict AS
SELECT regexp_extract(line, 'qid: <([^>]*)>', 1) AS qid,
       regexp_extract(line, '\(default: \w \(([^)]*)\)', 1) AS action,
       len(string_split(regexp_extract(line, 'rcpts: <([^>]*)>', 1), ',')) AS rcpts,
       regexp_extract(line, '\[((?:[A-Z0-9_]+\([-0-9.]+\)\{{[^}}]*\}},?)+)\]', 1) AS symbols,
       CAST(regexp_extract(line, 'time: ([0-9.]+)ms', 1) AS DOUBLE) AS ms
FROM read_csv('{rspamd}', columns = {{'line': 'VARCHAR'}}, delim = '\x01', quote = '', escape = '',
              header = false, auto_detect = false, max_line_size = 2000000)
WHERE line LIKE '%rspamd_task_write_log%';

CREATE TEMP TABLE message AS
SELECT c.day, c.ip, coalesce(CASE WHEN m.class IS NOT NULL THEN 'rejected' END,
         CASE WHEN d.status = 'sent' AND v.action IN ('add header', 'rewrite subject') THEN 'tagged' END,
         d.status, 'queued') AS outcome,
       CASE WHEN m.class IS NOT NULL THEN v.rcpts ELSE 1 END AS n,
       CASE WHEN v.symbols LIKE '%PHISHED_%' THEN 'PHISH.mail' WHEN v.symbols LIKE '%DBL_MALWARE%' THEN 'MALWARE.link'
            WHEN v.symbols LIKE '%DRUGS_%' THEN 'AD.pharma' WHEN v.symbols LIKE '%ADVANCE_FEE%' THEN 'FRAUD.advance-fee'
            WHEN v.symbols LIKE '%R_LOTTO%' THEN 'FRAUD.lottery' WHEN v.symbols LIKE '%SH_HBL_FILE%' THEN 'MALWARE.attach'
            ELSE 'UNK' END AS type, v.ms
FROM client c LEFT JOIN milter m USING (qid) LEFT JOIN delivery d USING (qid) LEFT JOIN verdict v USING (qid);

COPY (SELECT day, outcome, sum(n) AS units FROM message GROUP BY ALL
      UNION ALL SELECT day, 'refused ' || class, count(*) FROM refused GROUP BY ALL) TO '{out}/volume.parquet';
COPY (SELECT day, type, outcome, sum(n) AS units FROM message GROUP BY ALL) TO '{out}/type.parquet';
COPY (SELECT day, regexp_replace(ip, '\.\d+$', '.0/24') AS network, sum(n) AS units FROM message GROUP BY ALL
      UNION ALL SELECT day, regexp_replace(ip, '\.\d+$', '.0/24'), count(*) FROM refused GROUP BY ALL)
  TO '{out}/source.parquet';
COPY (SELECT day, measure, count(*) AS acted FROM refused GROUP BY ALL
      UNION ALL SELECT day, 'CONTENT_FILTER', count(*) FROM message WHERE outcome IN ('rejected', 'tagged') GROUP BY ALL)
  TO '{out}/effort.parquet';
"""


def main(mail: str, rspamd: str, out: str) -> None:
    Path(out).mkdir(parents=True, exist_ok=True)
    with duckdb.connect(config={"threads": machine.usable_cores()}) as connection:
        connection.execute(SQL.format(mail=mail, rspamd=rspamd, out=out))


if __name__ == "__main__":
    main(*sys.argv[1:])
