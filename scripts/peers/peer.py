"""What a peer is asked for on its command line; times are taken here, so that all are taken alike."""

import json
import resource
import time


def serve(arguments, ingest, search):
    """`ingest CORPUS STORE`, `warm STORE QUESTIONS.txt LIMIT`, `cold STORE QUESTION`."""
    task, *rest = arguments[1:]
    started = time.perf_counter()
    if task == "ingest":
        said = {"chunks": ingest(*rest), "seconds": time.perf_counter() - started}
    elif task == "warm":
        store, file, limit = rest
        with open(file, encoding="utf-8") as lines:
            questions = [line.strip() for line in lines if line.strip()][: int(limit)]
        ask = search(store)
        ask(questions[0])
        said = {"ms": [timed(ask, question) * 1000 for question in questions]}
    else:
        store, question = rest
        said = {"results": len(list(search(store)(question)))}
    said["rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print("RESULT " + json.dumps(said))


def timed(ask, question):
    started = time.perf_counter()
    ask(question)
    return time.perf_counter() - started
