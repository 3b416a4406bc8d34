"""A deployment of two sandboxes with the same users, haproxy in front of them, and nginx in front of haproxy."""

import json
import os
import socket
import subprocess
import time
from pathlib import Path

BASE_PATH = "/api/public/v1.0"
# The clock of the deployment and of all audits, so that two audits give the same rows.
ENVIRONMENT = {"PATH": os.environ["PATH"], "SOURCE_DATE_EPOCH": "1735689600"}

HAPROXY = """
defaults
    mode http
    timeout connect 2s
    timeout client 30s
    timeout server 2s
frontend turn
    bind 127.0.0.1:{turn}
    default_backend turn
frontend cookie
    bind 127.0.0.1:{cookie}
    default_backend cookie
frontend tls
    bind 127.0.0.1:{tls} ssl crt {folder}/both.pem
    default_backend turn
frontend limited
    bind 127.0.0.1:{haproxy_limited}
    stick-table type ip size 1k expire 10s store http_req_rate(1s)
    http-request track-sc0 src
    http-request deny deny_status 429 if {{ sc_http_req_rate(0) gt 400 }}
    default_backend cookie
backend turn
    balance roundrobin
    server one 127.0.0.1:{one}
    server two 127.0.0.1:{two}
backend cookie
    balance roundrobin
    cookie NODE insert indirect nocache
    server one 127.0.0.1:{one} cookie one
    server two 127.0.0.1:{two} cookie two
"""

NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 2048; }}
http {{
    access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    proxy_max_temp_file_size 0; proxy_connect_timeout 2s; proxy_read_timeout 2s;
    proxy_set_header Host $http_host; proxy_set_header Connection '';
    ssl_certificate {folder}/certificate.pem; ssl_certificate_key {folder}/key.pem;
    limit_req_zone $server_name zone=api:1m rate=400r/s;
    server {{
        listen 127.0.0.1:{https} ssl; keepalive_requests 50; keepalive_timeout 1s;
        location / {{ proxy_pass http://127.0.0.1:{cookie}; proxy_http_version 1.1; }}
    }}
    server {{
        listen 127.0.0.1:{gzip} ssl; gzip on; gzip_proxied any; gzip_types application/json; proxy_buffering off;
        location / {{ proxy_pass http://127.0.0.1:{turn}; }}
    }}
    server {{
        listen 127.0.0.1:{limited_429}; server_name limited_429; limit_req zone=api burst=20 nodelay; limit_req_status 429;
        location / {{ proxy_pass http://127.0.0.1:{turn}; proxy_http_version 1.1; }}
    }}
    server {{
        listen 127.0.0.1:{limited_503}; server_name limited_503; limit_req zone=api burst=20 nodelay;
        location / {{ proxy_pass http://127.0.0.1:{cookie}; proxy_http_version 1.1; }}
    }}
}}
"""

# What an audit connects to, by the name of its port.
ENTRANCES = {
    "one": ("http", "no proxy"),
    "turn": ("http", "haproxy, each request to the next node"),
    "tls": ("https", "haproxy with TLS"),
    "haproxy_limited": ("http", "haproxy, 429 above 400 per second"),
    "https": ("https", "nginx with TLS and short connections"),
    "gzip": ("https", "nginx with HTTP/1.0 behind it and without buffers"),
    "limited_429": ("http", "nginx, 429 above 400 per second"),
    "limited_503": ("http", "nginx, 503 above 400 per second"),
}


class Deployment:
    """All its processes; their files are in `folder`."""

    def __init__(self, program: Path, folder: Path):
        self.program, self.folder = program, folder
        self.ports = {name: free_port() for name in [*ENTRANCES, "two", "cookie"]}
        self.certificate = folder / "certificate.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=soak",
             "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE",
             "-keyout", folder / "key.pem", "-out", self.certificate],
            check=True, stderr=subprocess.DEVNULL)
        (folder / "both.pem").write_text(self.certificate.read_text() + (folder / "key.pem").read_text())
        self.sandboxes: dict[str, subprocess.Popen] = {}
        self.options: list[str] = []
        self.proxies = {}
        for name, text, command in [
            ("haproxy", HAPROXY, ["haproxy", "-db", "-f"]),
            ("nginx", NGINX, ["nginx", "-c"]),
        ]:
            config = folder / f"{name}.conf"
            config.write_text(text.format(folder=folder, **self.ports))
            log = (folder / f"{name}.out").open("w")
            self.proxies[name] = subprocess.Popen([*command, config], stdout=log, stderr=log)
        for name in ["turn", "https"]:
            self.until_it_listens(name)

    def start(self, options: list[str]) -> None:
        """Both sandboxes with these options, in place of those before."""
        self.stop_sandboxes()
        self.options = options
        for node in ["one", "two"]:
            self.start_sandbox(node)

    def start_sandbox(self, node: str) -> None:
        command = [self.program, "sandbox", "--listen", f"127.0.0.1:{self.ports[node]}", *self.options]
        sandbox = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True)
        self.sandboxes[node] = sandbox
        announced = json.loads(sandbox.stdout.readline())
        self.credential = {
            "KEYSUNSET_PUBLIC_KEY": announced["public_key"],
            "KEYSUNSET_PRIVATE_KEY": announced["private_key"],
        }

    def restart_sandbox(self, node: str) -> None:
        """As after a crash: its connections break, and it knows no nonce."""
        self.stop_sandbox(node)
        self.start_sandbox(node)

    def stop_sandbox(self, node: str) -> None:
        sandbox = self.sandboxes.pop(node)
        sandbox.kill()
        sandbox.wait()
        sandbox.stdout.close()

    def stop_sandboxes(self) -> None:
        for node in list(self.sandboxes):
            self.stop_sandbox(node)

    def stop(self) -> None:
        self.stop_sandboxes()
        for proxy in self.proxies.values():
            proxy.kill()
            proxy.wait()

    def url(self, entrance: str) -> str:
        scheme, _ = ENTRANCES[entrance]
        return f"{scheme}://127.0.0.1:{self.ports[entrance]}{BASE_PATH}"

    def until_it_listens(self, name: str) -> None:
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", self.ports[name])).close()
                return
            except OSError:
                time.sleep(0.1)
        raise SystemExit(f"nothing listens for {name}: see {self.folder}")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
