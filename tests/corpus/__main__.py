"""`python -m tests.corpus [WORD…]`: the scores of the recordings whose names contain a word, or of all."""

from __future__ import annotations

import sys

from tests.corpus.score import confusion, figures, recordings, score
from triage.classify.library import Library


def main() -> None:
    words = sys.argv[1:]
    library = Library.load()
    scores = [score(path, library) for path in recordings() if not words or any(w in str(path) for w in words)]
    print(f"{'recording':34} {'records':>7} {'cut right':>10} {'columns right':>14}")
    for one in scores:
        print(f"{one.name:34} {one.expected:7} {one.cut:10} {one.fields_right:7} of {one.fields:4}")
    print(f"\n{'problem':28} {'expected':>8} {'precision':>10} {'recall':>7}")
    for row in figures(scores):
        print(f"{row.problem:28} {row.expected:8} {row.precision:10.1%} {row.recall:7.1%}")
    if wrong := confusion(scores):
        print("\nexpected → found")
        for (wanted, found), count in wrong.most_common():
            print(f"{count:5}  {wanted} → {found}")
    misses = [f"{one.name}: {miss}" for one in scores for miss in one.misses]
    if misses:
        print(f"\n{len(misses)} differences")
        print("\n".join(misses))


if __name__ == "__main__":
    main()
