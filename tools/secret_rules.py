"""Makes the rules by which bake knows credentials from those of detect-secrets, and our own.

The machine has neither that package nor the time to try each pattern at each byte: a rule has
words, one of which is in every text that it matches, and they are looked for first. Rules that
mostly cry wolf on a whole disk are left out: random strings, words such as "password", addresses,
and ids without a prefix.

Run it with a newer detect-secrets (Apache 2.0) beside it: pip install detect-secrets;
python -m tools.secret_rules
"""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path

PLACE = Path(__file__).resolve().parents[1] / "roles/image/files/secret_rules.json"
# By the module of detect-secrets: its class, and the words of its patterns
WORDS = {
    "aws": ("AWSKeyDetector", ("A3T", "ABIA", "ACCA", "AKIA", "ASIA", "aws", "AWS")),
    "azure_storage_key": ("AzureStorageKeyDetector", ("AccountKey=",)),
    "github_token": ("GitHubTokenDetector", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_")),
    "gitlab_token": (
        "GitLabTokenDetector",
        (
            "glpat",
            "gldt",
            "glft",
            "glsoat",
            "glrt",
            "glcbt",
            "glimt",
            "glptt",
            "glagent",
            "gloas",
            "GR1348941",
        ),
    ),
    "npm": ("NpmDetector", (":_authToken=",)),
    "openai": ("OpenAIDetector", ("T3BlbkFJ",)),
    "pypi_token": ("PypiTokenDetector", ("pypi-AgE",)),
    "sendgrid": ("SendGridDetector", ("SG.",)),
    "slack": ("SlackDetector", ("xox", "hooks.slack.com")),
    "square_oauth": ("SquareOAuthDetector", ("sq0csp-",)),
    "stripe": ("StripeDetector", ("k_live_",)),
}
# Kinds that detect-secrets 1.5.0 lacks, or has in a form that notes about them have, too
OWN = (
    ("private key", ("PRIVATE KEY",),
     r"-----BEGIN ([A-Z0-9]+ )*PRIVATE KEY( BLOCK)?-----[ \t]*(\r?\n|\\n)"),
    ("private key", ("PuTTY-User-Key-File-",), r"^PuTTY-User-Key-File-[0-9]+:"),
    ("private key", ("AGE-SECRET-KEY-1",), r"AGE-SECRET-KEY-1[0-9A-Z]{58}"),
    ("private key", ("PrivateKey",), r"(?m)^[ \t]*PrivateKey[ \t]*=[ \t]*[A-Za-z0-9+/]{43}="),
    ("private key", ("client-key-data:",), r"client-key-data: *[A-Za-z0-9+/]{40}"),
    ("GitHub token", ("github_pat_",), r"github_pat_[A-Za-z0-9_]{60}"),
    ("Google key", ("AIza",), r"AIza[0-9A-Za-z_-]{35}"),
    ("Google client", ("GOCSPX-",), r"GOCSPX-[A-Za-z0-9_-]{28}"),
    ("OpenAI token", ("sk-proj-", "sk-svcacct-"), r"sk-(proj|svcacct)-[A-Za-z0-9_-]{40}"),
    ("Anthropic token", ("sk-ant-",), r"sk-ant-[A-Za-z0-9_-]{40}"),
    ("Hugging Face token", ("hf_",), r"\bhf_[A-Za-z]{34}\b"),
    ("DigitalOcean token", ("_v1_",), r"do[opr]_v1_[a-f0-9]{64}"),
    ("Docker token", ("dckr_pat_",), r"dckr_pat_[A-Za-z0-9_-]{27}"),
    ("Slack token", ("xapp-",), r"xapp-[0-9]-[A-Z0-9]+-[0-9]+-[a-z0-9]+"),
    ("Tailscale key", ("tskey-",), r"tskey-[a-z]+-[A-Za-z0-9]+-[A-Za-z0-9]+"),
    ("Terraform token", (".atlasv1.",), r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{60}"),
    ("Vault token", ("hvs.", "hvb."), r"\bhv[sb]\.[A-Za-z0-9_-]{24}"),
    ("Databricks token", ("dapi",), r"\bdapi[a-f0-9]{32}"),
)  # fmt: skip
_NAME = r"[A-Z0-9_]*(?:TOKEN|SECRET|PASSWORD|PASSWD|API_KEY|APIKEY|ACCESS_KEY)"
# With the names of files beside which they would cry wolf: settings, and the shell's
OF_FILES = (
    ("password in an URL", ("://",), r"://[^/\s:@{}$<'\"]+:[^/\s@{}$<'\"]{3,}@",
     r"(pip|uv)\.(conf|toml)|\..*(rc|profile)|config|environment|\.env.*"
     r"|.*\.(ini|cfg|env|sources|list)"),
    ("secret in a variable", ("TOKEN", "SECRET", "PASSW", "API_KEY", "APIKEY", "ACCESS_KEY"),
     rf"(?m)^[ \t]*(?:(?:export |declare -x )?{_NAME}=|(?:set -\w+|setenv) {_NAME} )"
     r"['\"]?[^\s'\"$<{(]{8,}",
     r"\.env.*|\..*(rc|profile|login|logout|aliases|zshenv|exports)|.*\.(env|sh|bash|zsh|fish)"
     r"|[a-z-]+"),
)  # fmt: skip


def main() -> None:
    rules = []
    for module, (name, words) in WORDS.items():
        detector = getattr(importlib.import_module(f"detect_secrets.plugins.{module}"), name)
        for pattern in detector.denylist:
            flags = "(?i)" if pattern.flags & re.IGNORECASE else ""
            text = pattern.pattern
            if pattern.flags & re.VERBOSE:
                text = re.sub(r"\s+", "", text)
            rules.append({"kind": detector.secret_type, "words": words, "pattern": flags + text})
    rules += [{"kind": kind, "words": words, "pattern": text} for kind, words, text in OWN]
    rules += [
        {"kind": kind, "words": words, "pattern": text, "files": files}
        for kind, words, text, files in OF_FILES
    ]
    PLACE.write_text(json.dumps(rules, indent=1) + "\n")


if __name__ == "__main__":
    main()
