"""Requests that webhook nodes ask for: where they go, what they say, what becomes of them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from contacts import ingest
from contacts.items import Identify, Track
from contacts.models import Contact, Fact
from journeys import plans, publishing, work
from journeys.models import Enrollment, Journey, Node, Version, WebhookCall
from journeys.webhooks import deliver, guard, signing
from journeys.webhooks.delivery import THREADS
from journeys.webhooks.guard import Refused, Unreachable, may_be_called, resolve

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)


class Receiver(ThreadingHTTPServer):
    """A real HTTP server that keeps what it gets and answers as it is told."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.got: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self.drip = False
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.got.append((self.command, self.path, headers, body))
        if self.server.drip:
            try:
                while True:
                    self.wfile.write(b"H")
                    time.sleep(0.05)
            except OSError:
                return
        answers = self.server.answers
        status, headers, body = answers.pop(0) if answers else (200, {}, b"fine")
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    server = Receiver()
    settings.WEBHOOK_ALLOW_HOSTS = [f"127.0.0.1:{server.port}"]
    settings.WEBHOOK_SECRET = f"whsec_{base64.b64encode(b'k' * 32).decode()}"
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def enrollment(db: None) -> Enrollment:
    contact = Contact.objects.create(external_id="u1")
    journey = Journey.objects.create(slug="j", name="J", status="live")
    version = Version.objects.create(journey=journey, number=1, definition={}, trigger="manual")
    node = Node.objects.create(version=version, key="call", kind="webhook")
    Fact.objects.all().delete()
    return Enrollment.objects.create(
        journey=journey, version=version, contact=contact, status="waiting", entered_at=NOW,
        node=node, visits_count=1, arrived_at=NOW,
    )  # fmt: skip


def call(enrollment: Enrollment, url: str, **fields: Any) -> WebhookCall:
    made = {"visit": 1, "method": "POST", "body": "{}", "created_at": NOW, "next_attempt_at": NOW}
    return WebhookCall.objects.create(enrollment=enrollment, url=url, **{**made, **fields})


def outcomes() -> list[str]:
    return [fact.payload["outcome"] for fact in Fact.objects.filter(kind="webhook").order_by("pk")]


# where requests may go


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
     "0.0.0.0", "224.0.1.1", "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1",
     "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1",
     "64:ff9b:1::a00:1", "2002:7f00:1::", "2001:0:7f00:1::", "fec0::1", "::7f00:1",
     "::ffff:0:127.0.0.1", "192.0.2.1", "x"],
)  # fmt: skip
def test_addresses_that_are_not_public_may_not_be_called(address: str) -> None:
    assert not may_be_called(address)


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"]
)
def test_public_addresses_may_be_called(address: str) -> None:
    assert may_be_called(address)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1/", "http://localhost/", "http://[::1]/", "http://2130706433/",
     "http://0x7f000001/", "http://0177.0.0.1/", "http://127.1/", "http://[::ffff:127.0.0.1]/",
     "http://169.254.169.254/latest/meta-data", "https://10.0.0.1:8443/", "http://0/",
     "http://8.8.8.8:22/", "http://8.8.8.8:25/", "ftp://8.8.8.8/", "file:///etc/passwd",
     "gopher://8.8.8.8/", "http://user@8.8.8.8/", "http://user:pass@8.8.8.8/", "http:///x", "//x",
     "", "x", "http://8.8.8.8:99999/", "http://[::1", "http://exa mple.com/", "http://a\nb/",
     "http://localhost./"],
)  # fmt: skip
def test_urls_that_lead_inwards_are_refused(url: str) -> None:
    with pytest.raises((Refused, Unreachable)) as caught:
        resolve(url)
    assert str(caught.value).endswith(".")


def test_one_private_address_among_public_ones_is_enough_to_refuse(monkeypatch: Any) -> None:
    monkeypatch.setattr(guard, "_addresses", lambda *_: ("8.8.8.8", "10.0.0.1"))
    with pytest.raises(Refused):
        resolve("https://example.com/")


def test_the_connection_goes_to_the_address_that_was_checked(
    monkeypatch: Any, receiver: Receiver
) -> None:
    """A name that resolves to another address the second time gains nothing by it."""
    answers = iter([("127.0.0.1",), ("10.9.9.9",)])
    monkeypatch.setattr(guard, "_addresses", lambda *_: next(answers))
    monkeypatch.setattr(guard, "may_be_called", lambda _: True)
    monkeypatch.setattr(guard, "PORTS", (receiver.port,))
    answer = guard.request("GET", f"http://rebound.test:{receiver.port}/x?a=b c", {}, b"")
    assert answer.status == 200
    _, path, headers, _ = receiver.got[0]
    assert path == "/x?a=b%20c"
    assert headers["host"] == f"rebound.test:{receiver.port}"


def test_tls_asks_for_the_hosts_own_certificate(monkeypatch: Any) -> None:
    named: list[str] = []

    class Context:
        def wrap_socket(self, sock: socket.socket, server_hostname: str) -> socket.socket:
            named.append(server_hostname)
            raise OSError("no TLS here")

    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    monkeypatch.setattr(guard, "_tls", Context)
    monkeypatch.setattr(guard, "_addresses", lambda *_: ("127.0.0.1",))
    monkeypatch.setattr(guard, "may_be_called", lambda _: True)
    monkeypatch.setattr(guard, "PORTS", (port,))
    with pytest.raises(Unreachable):
        guard.request("GET", f"https://secure.test:{port}/", {}, b"")
    listener.close()
    assert named == ["secure.test"]


def test_a_certificate_nobody_vouches_for_is_refused(tmp_path: Any, settings: Any) -> None:
    import ssl
    import subprocess

    pem = tmp_path / "server.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-keyout",
         str(pem), "-out", str(tmp_path / "crt.pem"), "-subj", "/CN=127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "crt.pem", pem)
    server = Receiver()
    server.socket = context.wrap_socket(server.socket, server_side=True)
    settings.WEBHOOK_ALLOW_HOSTS = ["127.0.0.1"]
    with pytest.raises(Unreachable, match="certificate"):
        guard.request("GET", f"https://127.0.0.1:{server.port}/", {}, b"")
    server.shutdown()
    assert server.got == []


def test_an_answer_that_drips_is_cut_off(receiver: Receiver, monkeypatch: Any) -> None:
    monkeypatch.setattr(guard, "TOTAL_SECONDS", 0.4)
    receiver.drip = True
    started = time.monotonic()
    with pytest.raises(Unreachable):
        guard.request("GET", receiver.url, {}, b"")
    assert time.monotonic() - started < 30  # dripping goes on for as long as one listens


def test_a_long_answer_is_read_only_so_far(receiver: Receiver) -> None:
    receiver.answers = [(200, {}, b"x" * 200_000)]
    assert len(guard.request("GET", receiver.url, {}, b"").body) == guard.MOST_BYTES


def test_the_senders_own_headers_cant_be_replaced(receiver: Receiver) -> None:
    guard.request("POST", receiver.url, {"Host": "evil", "content-length": "1", "X-A": "ü"}, b"abc")
    _, _, headers, body = receiver.got[0]
    assert headers["host"] == f"127.0.0.1:{receiver.port}"
    assert (headers["content-length"], body) == ("3", b"abc")


def test_proxies_of_the_environment_are_not_used(receiver: Receiver, monkeypatch: Any) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert guard.request("GET", receiver.url, {}, b"").status == 200


# deliveries


def test_an_answer_moves_the_enrollment_on_by_ok(
    receiver: Receiver, enrollment: Enrollment
) -> None:
    made = call(enrollment, f"{receiver.url}/hook", headers={"X-Team": "a"}, body='{"ü": 1}')
    assert deliver(NOW) == 1
    made.refresh_from_db()
    assert (made.status, made.response_status, made.response_body) == ("ok", 200, "fine")
    assert (made.attempts, made.next_attempt_at, made.lease_until) == (1, None, None)
    [fact] = Fact.objects.all()
    assert fact.contact_id == enrollment.contact_id
    assert fact.payload == {"enrollment": enrollment.pk, "visit": 1, "outcome": "ok"}
    assert deliver(NOW) == 0
    method, path, headers, body = receiver.got[0]
    assert (method, path, headers["x-team"]) == ("POST", "/hook", "a")
    assert body.decode() == '{"ü": 1}'


def test_requests_are_signed_as_standard_webhooks_has_it(
    receiver: Receiver, enrollment: Enrollment
) -> None:
    made = call(enrollment, receiver.url, body='{"a": 1}', headers={"Webhook-Id": "forged"})
    deliver(NOW)
    _, _, headers, body = receiver.got[0]
    assert headers["webhook-id"] == signing.message_id(made.pk)
    assert abs(int(headers["webhook-timestamp"]) - NOW.timestamp()) < 2
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = base64.b64encode(hmac.new(b"k" * 32, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{digest}"


def test_a_server_in_trouble_is_asked_five_times_in_about_an_hour(
    receiver: Receiver, enrollment: Enrollment
) -> None:
    made = call(enrollment, receiver.url)
    receiver.answers = [(503, {}, b"")] * 5
    at, pauses = NOW, []
    while made.status in ("queued", "sending"):
        assert deliver(at) == 1
        made.refresh_from_db()
        if made.next_attempt_at:
            assert deliver(made.next_attempt_at - timedelta(seconds=1)) == 0
            pauses.append((made.next_attempt_at - at).total_seconds())
            at = made.next_attempt_at
            assert outcomes() == []
    assert [round(pause, -1) for pause in pauses] == [30, 120, 600, 2700]
    assert (made.status, made.attempts, outcomes()) == ("failed", 5, ["failed"])
    assert "503" in made.error
    assert len({headers["webhook-id"] for _, _, headers, _ in receiver.got}) == 1


def test_retry_after_is_respected_up_to_an_hour(receiver: Receiver, enrollment: Enrollment) -> None:
    made = call(enrollment, receiver.url)
    dated = "Sun, 01 Mar 2026 09:20:00 GMT"
    for header, expected in (("300", 300), ("99999999", 3600), (dated, 1200), ("soon", 2700)):
        receiver.answers = [(429, {"Retry-After": header}, b"")]
        WebhookCall.objects.update(next_attempt_at=NOW)
        deliver(NOW)
        made.refresh_from_db()
        assert made.next_attempt_at is not None
        assert (made.next_attempt_at - NOW).total_seconds() == pytest.approx(expected, abs=2)


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 404, 410, 422])
def test_an_answer_that_will_not_change_fails_at_once(
    receiver: Receiver, enrollment: Enrollment, status: int
) -> None:
    receiver.answers = [(status, {"Location": f"{receiver.url}/elsewhere"}, b"no")]
    made = call(enrollment, receiver.url)
    deliver(NOW)
    made.refresh_from_db()
    assert (made.status, made.response_status, made.response_body) == ("failed", status, "no")
    assert outcomes() == ["failed"]
    assert len(receiver.got) == 1  # no redirect is followed


def test_a_refused_connection_is_tried_again(enrollment: Enrollment, settings: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings.WEBHOOK_ALLOW_HOSTS = ["127.0.0.1"]
    made = call(enrollment, f"http://127.0.0.1:{port}/")
    deliver(NOW)
    made.refresh_from_db()
    assert (made.status, made.attempts, outcomes()) == ("queued", 1, [])
    assert "could not be reached" in made.error


def test_an_address_inside_fails_at_once_and_is_never_called(
    receiver: Receiver, enrollment: Enrollment, settings: Any
) -> None:
    settings.WEBHOOK_ALLOW_HOSTS = []
    made = call(enrollment, receiver.url)
    deliver(NOW)
    made.refresh_from_db()
    assert (made.status, outcomes(), receiver.got) == ("failed", ["failed"], [])


def test_one_bad_request_does_not_stop_the_others(
    receiver: Receiver, enrollment: Enrollment
) -> None:
    call(enrollment, "", visit=1, error="The request could not be made: no such filter.")
    call(enrollment, receiver.url, visit=2, method="NO\nWAY")
    call(enrollment, receiver.url, visit=3, headers={"X": "a\nb"})
    call(enrollment, "http://[", visit=4)
    good = call(enrollment, receiver.url, visit=5)
    assert deliver(NOW) == 5
    good.refresh_from_db()
    assert good.status == "ok"
    first = WebhookCall.objects.get(visit=1)
    assert (first.status, first.error) == (
        "failed",
        "The request could not be made: no such filter.",
    )
    assert not WebhookCall.objects.filter(status="sending").exists()


def test_a_lease_that_expired_is_sent_again_and_one_that_stands_is_not(
    receiver: Receiver, enrollment: Enrollment
) -> None:
    until = NOW + timedelta(minutes=5)
    made = call(
        enrollment,
        receiver.url,
        status="sending",
        lease_until=until,
        next_attempt_at=until,
        attempts=1,
    )
    assert deliver(NOW) == 0
    assert deliver(until) == 1
    made.refresh_from_db()
    assert (made.status, made.attempts, outcomes()) == ("ok", 2, ["ok"])


def test_an_answer_that_comes_after_the_lease_was_lost_says_nothing(
    receiver: Receiver, enrollment: Enrollment
) -> None:
    from journeys.webhooks import delivery

    made = call(enrollment, receiver.url)
    [claimed] = delivery._claim(NOW, 10)
    [again] = delivery._claim(NOW + delivery.LEASE, 10)
    delivery._record(claimed, delivery.Result(False), NOW)
    delivery._record(again, delivery.Result(True, status=200), NOW)
    made.refresh_from_db()
    assert (made.status, outcomes()) == ("ok", ["ok"])


def test_requests_of_enrollments_that_ended_are_cancelled(
    receiver: Receiver, enrollment: Enrollment
) -> None:
    made = call(enrollment, receiver.url)
    Enrollment.objects.update(status="exited", ended_at=NOW)
    assert deliver(NOW) == 0
    made.refresh_from_db()
    assert (made.status, receiver.got, outcomes()) == ("cancelled", [], [])


def test_requests_wait_while_the_journey_is_paused(
    receiver: Receiver, enrollment: Enrollment
) -> None:
    """V2"""
    call(enrollment, receiver.url)
    Journey.objects.update(status="paused")
    assert deliver(NOW) == 0
    Journey.objects.update(status="live")
    assert deliver(NOW) == 1


def test_slow_receivers_are_waited_for_side_by_side(
    receiver: Receiver, enrollment: Enrollment, monkeypatch: Any
) -> None:
    real, together = guard.request, threading.Barrier(THREADS, timeout=30)

    def slow(*args: Any) -> guard.Answer:
        together.wait()  # nobody is answered before all are asked
        return real(*args)

    monkeypatch.setattr(guard, "request", slow)
    for visit in range(2 * THREADS):
        call(enrollment, receiver.url, visit=visit)
    assert deliver(NOW) == 2 * THREADS


def test_json_in_what_was_kept_is_what_was_sent(receiver: Receiver, enrollment: Enrollment) -> None:
    call(enrollment, receiver.url, body=json.dumps({"a": "😀"}, ensure_ascii=False))
    deliver(NOW)
    assert json.loads(receiver.got[0][3]) == {"a": "😀"}


# from the node to the answer


def on_the_way(**config: Any) -> Journey:
    """A live journey of a webhook node, and a person in it."""
    plans.forget()
    made = publishing.create(
        {
            "journey": "hook",
            "entry": {"trigger": {"event": "go"}},
            "start": "call",
            "nodes": {
                "call": {"kind": "webhook", **config, "next": {"ok": "good", "failed": "bad"}},
                "good": {"kind": "exit", "reason": "answered"},
                "bad": {"kind": "exit", "reason": "not answered"},
            },
        },
        at=NOW,
    )
    publishing.publish(made, at=NOW)
    person = Identify({"email": "u@example.com", "name": 'Ann "A"\n'}, external_id="u1")
    ingest.record([person, Track("go", {"total": 5}, external_id="u1")], received_at=NOW)
    work.work(NOW)
    return made


@pytest.mark.django_db
def test_a_node_asks_and_the_answer_decides_the_way(receiver: Receiver) -> None:
    on_the_way(url=f"{receiver.url}/{{{{ contact.external_id }}}}?n={{{{ event.total }}}}")
    assert Enrollment.objects.get().status == "waiting"
    assert deliver(NOW) == 1
    work.work(NOW + timedelta(minutes=1))
    done = Enrollment.objects.get()
    assert (done.status, done.reason) == ("exited", "answered")
    method, path, headers, body = receiver.got[0]
    assert (method, path, headers["content-type"]) == ("POST", "/u1?n=5", "application/json")
    sent = json.loads(body)
    assert sent["contact"]["external_id"] == "u1"
    assert sent["contact"]["attributes"] == {"name": 'Ann "A"\n'}
    assert sent["event"] == {"name": "go", "properties": {"total": 5}}
    assert (sent["journey"], sent["node"], sent["visit"]) == ("hook", "call", 1)
    assert sent["at"] == "2026-03-01T09:00:00Z"


@pytest.mark.django_db
def test_an_answer_of_no_leads_to_failed(receiver: Receiver) -> None:
    receiver.answers = [(404, {}, b"")]
    on_the_way(url=receiver.url)
    deliver(NOW)
    work.work(NOW + timedelta(minutes=1))
    assert Enrollment.objects.get().reason == "not answered"


@pytest.mark.django_db
def test_no_value_breaks_out_of_the_json_or_the_headers_it_stands_in(receiver: Receiver) -> None:
    on_the_way(
        url=receiver.url,
        method="PUT",
        headers={"X-Name": "{{ contact.name }}x", "content-type": "application/vnd.a+json"},
        body={"name": "{{ contact.name }}", "list": [1, None, {"k": "{{ event.total }}"}]},
    )
    deliver(NOW)
    method, _, headers, body = receiver.got[0]
    assert json.loads(body) == {"name": 'Ann "A"\n', "list": [1, None, {"k": "5"}]}
    assert (method, headers["x-name"]) == ("PUT", 'Ann "A" x')
    assert headers["content-type"] == "application/vnd.a+json"


@pytest.mark.django_db
def test_a_get_has_no_body_and_text_is_sent_as_text(receiver: Receiver) -> None:
    on_the_way(url=receiver.url, method="GET")
    deliver(NOW)
    assert receiver.got[0][3] == b""
    assert "content-type" not in receiver.got[0][2]


@pytest.mark.django_db
def test_liquid_that_fails_is_a_request_that_failed(receiver: Receiver) -> None:
    on_the_way(url=f"{receiver.url}/{{% for i in (1..99999999) %}}x{{% endfor %}}")
    deliver(NOW)
    work.work(NOW + timedelta(minutes=1))
    assert Enrollment.objects.get().reason == "not answered"
    assert "could not be made" in WebhookCall.objects.get().error
    assert receiver.got == []


@pytest.mark.django_db
def test_archiving_cancels_the_request_that_was_not_sent(receiver: Receiver) -> None:
    made = on_the_way(url=receiver.url)
    publishing.archive(made, at=NOW)
    assert WebhookCall.objects.get().status == "cancelled"
    assert deliver(NOW) == 0
