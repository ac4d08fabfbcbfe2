"""EC2 as a machine can ask it: signed calls with the credentials of its instance profile.

curl signs and sends. No secret is on its command line, where every user could read it: it reads
its configuration from standard input. Few modules are imported, as the boot waits for a call.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable

from cloudtop_machine.imds import Metadata

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

CREDENTIALS = "iam/security-credentials/"
# EC2 gives credentials for hours, and new ones before the old ones expire
CREDENTIALS_SECONDS = 300
DUAL_STACK = {
    "amazonaws.com": "api.aws",
    "amazonaws.com.cn": "api.amazonwebservices.com.cn",
}
PASSING = {
    *("Unreachable", "NoCredentials", "RequestLimitExceeded", "Unavailable", "ServiceUnavailable"),
    *("InternalError", "InternalFailure", "RequestExpired"),
}


class Trouble(Exception):
    """A call that failed: EC2's error code, or Unreachable or NoCredentials, and a sentence."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code, self.text = code, text

    @property
    def passes(self) -> bool:
        """Whether the same call may succeed a little later."""
        return self.code in PASSING or self.code.startswith("Throttling")


class Ec2:
    """Calls EC2 at ``endpoint`` (empty: the region's own). ``say`` gets each trouble as a line."""

    def __init__(
        self, endpoint: str, metadata: Metadata, say: Callable[[str], None] = print
    ) -> None:
        self.endpoint, self.metadata, self.say = endpoint, metadata, say
        self.region = self.domain = ""
        self._secrets: tuple[str, str, str] | None = None
        self._expires = 0.0

    def ask(self, action: str, *parameters: str) -> Element:
        """The parsed answer, whose tags have no namespace. Raises Trouble."""
        text = self.call(action, *parameters)
        try:
            return self._parse(text)
        except Trouble as trouble:
            self.say(f"{action}: {trouble}")
            raise

    def call(self, action: str, *parameters: str) -> str:
        """The text of the answer. ``parameters`` are KEY=VALUE. Raises Trouble."""
        try:
            return self._call(action, parameters)
        except Trouble as trouble:
            # EC2 may have refused the credentials: they expire
            self._expires = 0.0
            self.say(f"{action}: {trouble}")
            raise

    def _call(self, action: str, parameters: tuple[str, ...]) -> str:
        key, secret, session = self._credentials()
        words = ["curl", "--silent", "--show-error", "--max-time", "60", "--config", "-"]
        for each in (f"Action={action}", "Version=2016-11-15", *parameters):
            words += ["--data-urlencode", each]
        url = self.endpoint or f"https://ec2.{self.region}.{self.domain}"
        given = (
            f'aws-sigv4 = "aws:amz:{self.region}:ec2"\n'
            f'user = "{key}:{secret}"\n'
            f'header = "X-Amz-Security-Token: {session}"\n'
        )
        code, text = _run([*words, f"{url}/"], given)
        if code:
            raise Trouble("Unreachable", text.strip())
        if f"<{action}Response" in text:
            return text
        raise self._refusal(text)

    def _credentials(self) -> tuple[str, str, str]:
        if self._secrets and time.monotonic() < self._expires:
            return self._secrets
        try:
            self.region = self.region or self.metadata.text("placement/region")
            self.domain = self.domain or self._domain()
            role = self.metadata.text(CREDENTIALS).partition("\n")[0]
            fields = json.loads(self.metadata.text(CREDENTIALS + role)) if role else {}
            secrets = fields["AccessKeyId"], fields["SecretAccessKey"], fields["Token"]
        except (OSError, ValueError, KeyError, TypeError):
            secrets = None
        if not secrets or not self.region:
            raise Trouble(
                "NoCredentials",
                "the metadata service gives this machine no credentials; it needs an instance"
                " profile",
            )
        self._secrets, self._expires = secrets, time.monotonic() + CREDENTIALS_SECONDS
        return secrets

    def _domain(self) -> str:
        """The domain of EC2's endpoint: China has its own, and so have addresses of IPv6.

        Raises OSError if the metadata service does not answer.
        """
        if self.endpoint:
            return ""
        domain = self.metadata.text("services/domain") or "amazonaws.com"
        if self.metadata.text("local-ipv4"):
            return domain
        # AWS General Reference, "Dual stack endpoints"
        return DUAL_STACK.get(domain, domain)

    def _refusal(self, text: str) -> Trouble:
        code = message = ""
        if "<Code>" in text:
            error = self._parse(text)
            code = error.findtext(".//Code") or ""
            message = error.findtext(".//Message") or ""
        if not code:
            return self._no_answer()
        # For whoever may decode it, and far too long for a sentence
        message = message.partition(" Encoded authorization failure message:")[0]
        return Trouble(code, " ".join(message.split()))

    def _no_answer(self) -> Trouble:
        return Trouble("Unreachable", f"{self.endpoint or 'EC2'} gave an answer that is not EC2's")

    def _parse(self, text: str) -> Element:
        from xml.etree import ElementTree

        try:
            root = ElementTree.fromstring(text)
        except ElementTree.ParseError:
            raise self._no_answer() from None
        for element in root.iter():
            element.tag = element.tag.rpartition("}")[2]
        return root


def _run(words: list[str], given: str) -> tuple[int, str]:
    """Exit code, and output with errors. Not by subprocess, which takes long to load."""
    give_to, give = os.pipe()
    read, write_to = os.pipe()
    actions = [
        (os.POSIX_SPAWN_DUP2, give_to, 0),
        (os.POSIX_SPAWN_DUP2, write_to, 1),
        (os.POSIX_SPAWN_DUP2, write_to, 2),
    ]
    process = os.posix_spawnp(words[0], words, os.environ, file_actions=actions)
    os.close(give_to)
    os.close(write_to)
    # A pipe holds far more than this
    with open(give, "w", encoding="utf-8") as stream:
        stream.write(given)
    with open(read, encoding="utf-8", errors="replace") as stream:
        text = stream.read()
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), text
