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
        timed(ask, questions[0])
        taken = [timed(ask, question) for question in questions]
        said = {"ms": [seconds * 1000 for seconds in taken if seconds], "failed": taken.count(None)}
    else:
        store, question = rest
        said = {"results": len(list(search(store)(question)))}
    said["rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print("RESULT " + json.dumps(said))


def timed(ask, question):
    """Seconds; None where the peer fails, as some do on a pair over the model's window."""
    started = time.perf_counter()
    try:
        ask(question)
    except Exception:  # noqa: BLE001
        return None
    return time.perf_counter() - started
