"""What is known about a phrase by the phrases inside it: "messi highlights" holds "messi", and that is Sports.

Two votes per topic: from known phrases of several words and from known words, each a proper part of the phrase. A part votes
for its topics in equal shares, by the share of the phrase's words that it covers; the largest vote for a topic counts."""
import numpy as np

PART_WORDS_MAX = 5
LONE_LETTERS_MIN = 3  # a known word shorter than this does not vote


def parts_of(folded, known, topic_count):
    """known: folded -> bit mask of topics. [2 * topic_count]: several words, then single ones."""
    votes = np.zeros(2 * topic_count, np.float32)
    words = folded.split(" ")
    if len(words) < 2:
        return votes
    for length in range(1, min(len(words) - 1, PART_WORDS_MAX) + 1):
        for start in range(len(words) - length + 1):
            part = " ".join(words[start:start + length])
            mask = known.get(part, 0)
            if mask == 0 or (length == 1 and len(part) < LONE_LETTERS_MIN):
                continue
            share = np.float32(length / len(words) / bin(mask).count("1"))
            base = 0 if length > 1 else topic_count
            for topic in range(topic_count):
                if mask >> topic & 1:
                    votes[base + topic] = max(votes[base + topic], share)
    return votes
