"""Asks DuckDB, in one thread, what `sockleak report` tells of each program on each socket: connections opened, closed,
open at each end, the oldest, and how long client ends lived.

question.py EXTENSION SOURCE REPORT: SOURCE is a recording, or its events in Parquet; REPORT is the report in JSON that
the answer is compared with. Prints one line of figures."""

import json
import resource
import sys
import time

import duckdb

# A recording has numbers where its export has names.
FROM_RECORDING = """
WITH life AS (
    SELECT
        connection,
        any_value(listener) FILTER (kind = 1) AS listener,
        any_value(pid) FILTER (kind = 1) AS pid,
        any_value("start") FILTER (kind = 1) AS begun,
        any_value(exec_id) FILTER (kind = 1) AS exec_id,
        min("at") FILTER (kind = 1) AS opened,
        min("at") FILTER (kind = 3 AND side = 1) AS client_released,
        min("at") FILTER (kind = 3 AND side = 2) AS server_released
    FROM trace.event WHERE connection IS NOT NULL GROUP BY connection
), processes AS (
    SELECT pid, "start" AS begun, exec_id, arg_max(program, seq) AS program FROM trace.process GROUP BY ALL
), listeners AS (
    SELECT listener, arg_max(path, seq) AS path FROM trace.listener GROUP BY ALL
), lives AS (
    FROM life JOIN listeners USING (listener) JOIN processes USING (pid, begun, exec_id)
)
"""
FROM_PARQUET = """
WITH lives AS (
    SELECT
        connection,
        any_value(path) FILTER (kind = 'connect') AS path,
        any_value(program) FILTER (kind = 'connect') AS program,
        min(time_ns) FILTER (kind = 'connect') AS opened,
        min(time_ns) FILTER (kind = 'release' AND "end" = 'client') AS client_released,
        min(time_ns) FILTER (kind = 'release' AND "end" = 'server') AS server_released
    FROM read_parquet($source) WHERE connection IS NOT NULL GROUP BY connection
)
"""
QUESTION = """
SELECT
    path,
    program,
    count(*) AS opened,
    count(*) FILTER (client_released IS NOT NULL AND server_released IS NOT NULL) AS closed,
    count(*) FILTER (client_released IS NULL) AS open_client,
    count(*) FILTER (server_released IS NULL) AS open_server,
    min(opened) FILTER (client_released IS NULL OR server_released IS NULL) AS oldest,
    quantile_disc(client_released - opened, 0.5) AS p50,
    quantile_disc(client_released - opened, 0.99) AS p99
FROM lives GROUP BY ALL
"""


def answer(extension, source):
    database = duckdb.connect()
    database.execute("PRAGMA threads=1")
    if source.endswith(".parquet"):
        return database.execute(FROM_PARQUET + QUESTION, {"source": source}).fetchall()
    database.execute(f"LOAD '{extension}'")
    database.execute(f"ATTACH '{source}' AS trace (TYPE sqlite, READ_ONLY)")
    return database.execute(FROM_RECORDING + QUESTION).fetchall()


def main(extension, source, report):
    clock, processor = time.monotonic(), time.process_time()
    rows = answer(extension, source)
    clock, processor = time.monotonic() - clock, time.process_time() - processor
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    with open(report, encoding="utf-8") as file:
        programs = json.load(file)["programs"]
    figures = ("opened", "closed", "open_client", "open_server")
    expected = {(row["path"], row["program"]): tuple(row[name] for name in figures) for row in programs}
    # A program whose attempts all failed has no connection.
    expected = {key: value for key, value in expected.items() if value[0]}
    same = {(row[0], row[1]): row[2:6] for row in rows} == expected
    print(
        f"duckdb={duckdb.__version__} clock={clock:.3f} processor={processor:.3f} peak_kib={peak} "
        f"rows={len(rows)} same={int(same)}"
    )


main(*sys.argv[1:])
