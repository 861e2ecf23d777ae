"""Real files through the mappings of docs/examples: the counts must be those that the files themselves and their READMEs give."""
import csv
import re
import subprocess
import unittest

import cli
from cli import OK, REJECTED, SHARED_DATA, SOURCE, CommandTest

EXAMPLES = SOURCE / "docs/examples"


def rows_of(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, skipinitialspace=True))


@unittest.skipUnless(SHARED_DATA.is_dir(), f"no data at {SHARED_DATA} (set KINDRED_SHARED_DATA)")
class RealData(CommandTest):
    def take(self, file, mapping, expect=OK):
        done = self.import_file(SHARED_DATA / file, "--map", EXAMPLES / f"{mapping}.json", "--rejects",
                                self.folder / "rejects.csv", expect=expect)
        self.run_kindred("verify", "--data", self.data)
        return done.counts

    def test_febrl(self):
        # README: 1,000, 5,000 and 5,000 records. People who agree on soc_sec_id are one; it has typing errors, so
        # there are more of them than the truth knows, and one for each different number.
        for number, records in ((1, 1000), (2, 5000), (3, 5000)):
            with self.subTest(dataset=number):
                self.data = self.folder / f"febrl{number}"
                counts = self.take(f"febrl/dataset{number}.csv", "febrl")
                numbers = {row["soc_sec_id"].strip() for row in rows_of(SHARED_DATA / f"febrl/dataset{number}.csv")}
                self.assertEqual((counts["accepted"], counts["quarantined"]), (records, 0))
                self.assertEqual(counts["people"], len(numbers))

    def test_fake_1000(self):
        counts = self.take("splink_fake_1000/fake_1000.csv", "splink_fake_1000")
        rows = rows_of(SHARED_DATA / "splink_fake_1000/fake_1000.csv")
        # What the typing errors break: empty parts, hyphens at the end of a label, endings of one letter.
        usable = re.compile(r"[\w-]+(\.[\w-]+)*@(\w([\w-]*\w)?\.)+[a-z][\w-]*\w$")
        emails = [row["email"].strip().lower() for row in rows]
        emails = [email if usable.match(email) else "" for email in emails]
        self.assertEqual(len(rows), 1000)
        self.assertEqual((counts["accepted"], counts["quarantined"]), (1000, 0))
        self.assertEqual(counts["people"], len({e for e in emails if e}) + emails.count(""))
        found = {i["value"] for p in self.people() for i in p["identifiers"] if i["type"] == "email"}
        self.assertEqual(found, {e for e in emails if e})

    def test_complete_journey_households(self):
        counts = self.take("complete_journey/demographics.csv", "complete_journey_demographics")
        self.assertEqual((counts["accepted"], counts["quarantined"], counts["people"]), (801, 0, 801))
        rows = rows_of(SHARED_DATA / "complete_journey/demographics.csv")
        incomes = sorted(row["income"] for row in rows if row["income"] not in ("", "NA"))
        found = sorted(p["attributes"]["demographics.income"] for p in self.people()
                       if "demographics.income" in p["attributes"])
        self.assertEqual(len(found), len(incomes))

    def test_online_retail_customers(self):
        # README: 271,633 rows, 2,152 customers, about a quarter of the rows without one.
        file = "online_retail/online_retail_dev.csv.zst"
        counts = self.take(file, "online_retail_customers", expect=REJECTED)
        self.assertEqual(counts["accepted"] + counts["quarantined"], 271633)
        self.assertEqual(counts["people"], 2152)
        self.assertTrue(0.2 < counts["quarantined"] / 271633 < 0.3)
        rejected = rows_of(self.folder / "rejects.csv")
        self.assertEqual(len(rejected), counts["quarantined"])
        self.assertEqual({row["CustomerID"] for row in rejected}, {""})
        try:
            text = subprocess.run(["zstdcat", SHARED_DATA / file], capture_output=True, check=True).stdout.decode()
        except FileNotFoundError:
            return  # the sums above stand without it
        without = sum(1 for row in csv.DictReader(text.splitlines()) if not row["CustomerID"].strip())
        self.assertEqual(counts["quarantined"], without)


if __name__ == "__main__":
    if not SHARED_DATA.is_dir():
        print(f"skipped: no data at {SHARED_DATA} (set KINDRED_SHARED_DATA)")
    cli.main()
