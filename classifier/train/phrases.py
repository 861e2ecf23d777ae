"""The labelled phrases: lists/*.tsv, written for this project, and what sources.py takes from packages."""
import pathlib

from fold import fold

HERE = pathlib.Path(__file__).resolve().parent
TOPICS = ["Sports", "Technology", "Finance", "Entertainment", "Music", "Gaming", "Fashion", "Beauty", "Food & Drink",
          "Travel", "Health", "Automotive", "Home & Garden", "Science", "Education", "Politics", "Pets & Animals",
          "Books & Literature", "Parenting & Family"]
# What a line without a topics column means, by file.
HOME = {"sports": "Sports", "technology": "Technology", "finance": "Finance", "entertainment": "Entertainment",
        "music": "Music", "gaming": "Gaming", "fashion": "Fashion", "beauty": "Beauty", "food": "Food & Drink",
        "travel": "Travel", "health": "Health", "automotive": "Automotive", "home": "Home & Garden", "science": "Science",
        "education": "Education", "politics": "Politics", "pets": "Pets & Animals", "books": "Books & Literature",
        "parenting": "Parenting & Family"}
# Files whose headings are people or occasions: their sections hold things of many kinds.
MIXED = ("typical", "everyday", "recent", "famous", "none")


class Phrase:
    """One folded phrase: what it is about (a set, empty: not an interest), the section it was found in, and how far it is to
    be believed (1: written by hand)."""
    __slots__ = ("text", "folded", "topics", "section", "weight", "curated", "mixed")

    def __init__(self, text, folded, topics, section, weight, curated):
        self.text, self.folded, self.topics, self.section = text, folded, set(topics), section
        self.weight, self.curated = weight, curated
        self.mixed = section.split(":")[0] in MIXED


def read_lists(folder=HERE / "lists"):
    """Every line of every list, the same phrase in several lists once with all its topics."""
    found = {}
    for path in sorted(folder.glob("*.tsv")):
        section = path.stem
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if line.startswith("# "):
                section = f"{path.stem}: {line[2:].strip()}"
                continue
            text, _, topics = line.partition("\t")
            folded = fold(text)
            if not folded:
                continue
            topics = topics.split("|") if topics else [HOME[path.stem]] if path.stem in HOME else []
            unknown = [t for t in topics if t not in TOPICS]
            if unknown:
                raise SystemExit(f"{path}:{number}: no such topic: {unknown}")
            known = found.get(folded)
            if known is None:
                found[folded] = Phrase(text, folded, topics, section, 1.0, True)
            else:
                known.topics |= set(topics)
    return found
