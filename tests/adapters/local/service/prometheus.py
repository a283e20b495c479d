"""A server on loopback that answers as Prometheus' published API does, for tests of its readers."""

import json
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

from swarm.adapters.local.service.queries import PrometheusReader, PrometheusSettings

ENDLESS = object()
TOTAL = 'sum(swarm_requests_total{revision="{revision}",outcome!="failover"})'
BAD = 'sum(swarm_requests_total{revision="{revision}",outcome="error"})'
LATENCY = 'sum by (le) (swarm_request_seconds_bucket{revision="{revision}"})'


def settings(**more):
    return PrometheusSettings(**{"url": "http://p:9090/", "total": TOTAL, "bad": BAD, **more})


def vector(*rows):
    """An instant vector as the published contract has it."""
    result = [{"metric": labels, "value": [1435781451.781, value]} for labels, value in rows]
    return 200, {"status": "success", "data": {"resultType": "vector", "result": result}}


class Served:
    """A server on loopback that answers by what stands in the query, and keeps what it got."""

    def __init__(self):
        self.answers = {}
        self.asked = []
        served = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                sent = self.rfile.read(int(self.headers["content-length"])).decode()
                form = {k: v[0] for k, v in parse_qs(sent).items()}
                served.asked.append((self.path, dict(self.headers.items()), form))
                kind = "bad" if 'outcome="error"' in form["query"] else "total"
                kind = "latency" if "bucket" in form["query"] else kind
                status, data = served.answers[kind]
                self.send_response(status)
                self.end_headers()
                with suppress(ConnectionError):
                    self.write(data)

            def write(self, data):
                if data is ENDLESS:
                    while True:
                        self.wfile.write(b"x" * 65536)
                self.wfile.write((data if isinstance(data, str) else json.dumps(data)).encode())

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def reader(self, answers, **more):
        self.answers = answers
        return PrometheusReader(settings(url=self.url + "/", **more))
