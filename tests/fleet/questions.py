"""Asks engines the questions of docs/fleet.md about an archive whose truth is known, and compares.

questions.py DIRECTORY [ENGINE...]: DIRECTORY has archive/ and truth.json, as the example archive-fleet leaves them.
"""

import datetime
import json
import re
import sys
import time
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "fleet.md"
FIRST = datetime.date(2026, 11, 2)


def queries(engine):
    """The queries of an engine on the page, in their order."""
    blocks = re.findall(r"```sql\n-- (\w+)(.*?)```", PAGE.read_text(), re.DOTALL)
    # What follows the name of the engine on its line is a comment.
    return [text.split("\n", 1)[1] for name, text in blocks if name == engine]


class Truth:
    def __init__(self, directory):
        truth = json.loads((directory / "truth.json").read_text())
        self.leaks, self.runs, self.lifetimes = truth["leaks"], truth["runs"], truth["lifetimes"]

    def check_leaks(self, rows):
        """Program, path, hosts, connections."""
        found = {row[0]: int(row[2]) for row in rows}
        assert found == {program: len(hosts) for program, hosts in self.leaks.items()}, found
        assert all(row[1] == "/run/shop.sock" and int(row[3]) > 0 for row in rows), rows

    def check_builds(self, rows):
        """Build, hosts on which it leaks, all hosts, since when."""
        build = lambda program: program.split("/")[4]
        found = {row[0]: (int(row[1]), row[3] and str(row[3])) for row in rows}
        expected = {}
        for program in self.runs:
            leaks = self.leaks.get(program, {})
            since = str(FIRST + datetime.timedelta(days=min(leaks.values()))) if leaks else None
            expected[build(program)] = (len(leaks), since)
        # A program without a verdict that day has no row.
        assert {name: row for name, row in expected.items() if name in found} == found, (found, expected)
        assert all(name in found for name, (count, _) in expected.items() if count), found

    def check_next(self, rows):
        """Host, program, connections: the fullest first."""
        expected = {host for hosts in self.leaks.values() for host in hosts}
        hosts = [row[0] for row in rows]
        assert set(hosts) <= expected and len(hosts) == min(100, len(expected)), hosts
        counts = [int(row[2]) for row in rows]
        assert counts == sorted(counts, reverse=True), counts

    def check_lifetimes(self, rows):
        """Program, week, closed, p99."""
        monday = lambda week: FIRST + datetime.timedelta(weeks=week)
        expected = {(it["program"], str(monday(it["week"]))): (it["closed"], it["p99_ns"]) for it in self.lifetimes}
        found = {(row[0], str(row[1])[:10]): (int(row[2]), int(row[3])) for row in rows}
        # The engines differ in how they round the rank.
        assert found.keys() == expected.keys(), (found, expected)
        for key, (closed, p99) in expected.items():
            assert found[key][0] == closed, (key, found[key], closed)
            assert abs(found[key][1] - p99) <= 0.2 * p99, (key, found[key], p99)


def duckdb(root, truth):
    import duckdb as engine

    connection = engine.connect()
    connection.execute("SET TimeZone = 'UTC'")
    asked = [text.replace("ROOT", str(root)) for text in queries("DuckDB")]
    checks = [truth.check_leaks, truth.check_builds, truth.check_next, truth.check_lifetimes]
    assert len(asked) == len(checks), asked
    for text, check in zip(asked, checks):
        yield check, lambda: connection.execute(text).fetchall()


def clickhouse(root, truth):
    import chdb

    ask = lambda text: [row for row in json.loads(chdb.query(text, "JSONCompact").bytes())["data"]]
    asked = [text.replace("ROOT", str(root)) for text in queries("ClickHouse")]
    checks = [truth.check_leaks, truth.check_lifetimes]
    assert len(asked) == len(checks), asked
    for text, check in zip(asked, checks):
        yield check, lambda: ask(text)


def spark(root, truth):
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local-cluster[2,1,1024]").config("spark.ui.enabled", "false")
    session = builder.config("spark.sql.session.timeZone", "UTC").getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    for table in ["findings", "connections"]:
        read = session.read.option("mergeSchema", "true").option("basePath", f"{root}/{table}")
        read.parquet(f"{root}/{table}").createOrReplaceTempView(table)
    checks = [truth.check_leaks, truth.check_lifetimes]
    asked = queries("Spark")
    assert len(asked) == len(checks), asked
    for text, check in zip(asked, checks):
        yield check, lambda: session.sql(text).collect()
    session.stop()


ENGINES = {"duckdb": duckdb, "clickhouse": clickhouse, "spark": spark}


def main():
    directory, wanted = Path(sys.argv[1]).absolute(), sys.argv[2:] or list(ENGINES)
    truth, root = Truth(directory), directory / "archive"
    failed = 0
    for name in wanted:
        for check, ask in ENGINES[name](root, truth):
            began = time.monotonic()
            what = check.__name__.removeprefix("check_")
            try:
                check(ask())
                print(f"ok {name}: {what} ({time.monotonic() - began:.1f} s)", flush=True)
            except Exception as error:
                failed += 1
                print(f"FAIL {name}: {what}: {error}", flush=True)
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
