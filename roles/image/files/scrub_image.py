#!/usr/bin/python3 -IS
"""Makes a copy of this machine's root disk fit to be an image.

It removes what belongs to this one machine, then looks at the finished copy and refuses it if
anything of that is left. The copy is a volume that was attached for it; the disk that the
machine runs from is only looked at, and every link of the copy is followed within the copy.

usage: scrub_image.py VOLUME DEVICE MOUNT_POINTS ALLOWED RULES [CONFIGURATION]
VOLUME is the copy's id and DEVICE its name at EC2; MOUNT_POINTS (words) are those that no fstab
line may name; ALLOWED (words) are paths that may look like credentials; RULES (JSON) say which
contents are credentials.
The last line that it prints is for people: that all is well, or what is still there.
"""

from __future__ import annotations

import errno
import fnmatch
import json
import mmap
import os
import re
import shlex
import signal
import stat
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

DIRECTORY = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Places that a test's configuration moves
SETTINGS = {"sys": "/sys", "dev": "/dev", "proc": "/proc", "tree": "/run/cloudtop/image"}
# Seconds for the disk to appear once EC2 calls it attached
DEADLINE = 120
# Links on the way to one file, as in the kernel (path_resolution(7)): a loop ends
MOST_LINKS = 40
# Directories below one another: /var/log has few, and each takes a descriptor
DEPTH, KEY_DEPTH = 64, 6
# A private key is smaller
KEY_BYTES = 63 << 10
PRIVATE_KEY = re.compile(rb"^-----BEGIN ([A-Z]+ )?PRIVATE KEY-----", re.MULTILINE)
ARRAY_LINE = re.compile(rb"^[ \t]*ARRAY", re.MULTILINE)
ANYTHING = re.compile(rb".", re.DOTALL)
# A step of a path that is missing or cannot be, as its author may have wished
NO_SUCH_FILE = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP)
MDADM = ("/etc/mdadm/mdadm.conf", "/etc/mdadm.conf")
AUTHORIZED_KEYS = (".ssh/authorized_keys", ".ssh/authorized_keys2")
# Programs and settings, which may have history in their names
PROGRAMS = (
    *(".sh", ".bash", ".zsh", ".fish", ".nu", ".py", ".lua", ".vim", ".el", ".js", ".so"),
    *(".conf", ".toml", ".yml", ".yaml", ".ini", ".md"),
)
# Patterns of names, each in a folder of a home that may have patterns, too
HISTORIES = (
    *((".", name) for name in (".*history", ".*_history.*", ".*hist", ".histfile", ".zhistory")),
    *(
        (".", name)
        for name in (".lesshst", ".viminfo", ".wget-hsts", ".dbshell", ".recently-used*")
    ),
    *((folder, "*history*") for folder in (".local/share/*", ".local/state/*", ".config/*")),
    *((folder, "*history*") for folder in (".cache/*", ".ipython/*", ".mongodb/*", ".zsh*")),
    *((folder, "*.shada") for folder in (".local/state/nvim/shada", ".local/share/nvim/shada")),
)
CREDENTIALS = (
    *(".aws/credentials", ".aws/sso/cache", ".aws/cli/cache", ".aws/login/cache", ".azure"),
    *(".config/gcloud", ".boto", ".oci", ".aliyun/config.json", ".bluemix", ".ibmcloud"),
    *(".config/doctl/config.yaml", ".config/hcloud/cli.toml", ".config/linode-cli", ".fly"),
    *(".s3cfg", ".config/rclone/rclone.conf", ".mc/config.json", ".passwd-s3fs"),
    *(".netrc", "_netrc", ".authinfo", ".git-credentials", ".config/git/credentials"),
    *(".config/gh/hosts.yml", ".config/hub", ".config/glab-cli/config.yml", ".config/tea"),
    *(
        ".config/github-copilot",
        ".kube/config",
        ".kube/cache",
        ".minikube/profiles",
        ".vault-token",
    ),
    *(".config/sops/age/keys.txt", ".config/op", ".terraform.d/credentials.tfrc.json"),
    *(".pypirc", ".gem/credentials", ".cargo/credentials", ".cargo/credentials.toml"),
    *(".m2/settings-security.xml", ".composer/auth.json", ".config/composer/auth.json"),
    *(".config/containers/auth.json", ".config/helm/registry/config.json"),
    *(".pgpass", ".mylogin.cnf", ".snowsql/config", ".databrickscfg", ".dbt/profiles.yml"),
    *(".huggingface/token", ".cache/huggingface/token", ".kaggle/kaggle.json"),
    *(".claude/.credentials.json", ".codex/auth.json", ".gemini/oauth_creds.json"),
    *(".local/share/com.vercel.cli/auth.json", ".config/netlify/config.json", ".wakatime.cfg"),
    *(".gnupg/private-keys-v1.d", ".gnupg/secring.gpg", ".local/share/keyrings", ".pki"),
    *(".subversion/auth", ".config/Slack", ".mozilla", ".config/google-chrome", ".config/chromium"),
    *(".thunderbird", ".electrum", ".bitcoin", ".config/syncthing"),
)
# Files that hold a credential only if this is in them
CREDENTIALS_WITHIN = (
    (".docker/config.json", re.compile(b'"(auth|identitytoken|registrytoken)"')),
    (".npmrc", re.compile(b"_authToken|_auth|_password")),
    (".yarnrc.yml", re.compile(b"npmAuth")),
    (".aws/config", re.compile(b"(?m)^[ \t]*aws_(secret_access_key|session_token)[ \t]*=")),
    (".m2/settings.xml", re.compile(b"<(password|passphrase)>")),
    (".gradle/gradle.properties", re.compile(b"(?im)^[^#]*(password|token|secret)[^=]*=")),
    (".terraformrc", re.compile(b"token")),
    (".my.cnf", re.compile(b"(?m)^[ \t]*password")),
    (".config/pip/pip.conf", re.compile(b"://[^/@\\s]+@")),
    (".config/NuGet/NuGet.Config", re.compile(b"Password")),
    (".nuget/NuGet/NuGet.Config", re.compile(b"Password")),
)
# Beside those of homes, by what is in them
OF_MACHINE = (
    ("/var/lib/tailscale", "tailscaled.state", ANYTHING),
    ("/etc", "krb5.keytab", ANYTHING),
    ("/etc/ppp", "*-secrets", re.compile(b"(?m)^[ \t]*[^#\\s]")),
    ("/etc/NetworkManager/system-connections", "*", re.compile(b"(?m)^(psk|password)=")),
    ("/etc/wpa_supplicant", "*.conf", re.compile(b"(?m)^[ \t]*(psk|password)=")),
    ("/etc/apt", "auth.conf", re.compile(b"password")),
    ("/etc/apt/auth.conf.d", "*", re.compile(b"password")),
    ("/etc", "pip.conf", re.compile(b"://[^/@\\s]+@")),
    ("/etc", "*smtprc", re.compile(b"(?m)^[ \t]*password")),
    ("/etc/exim4", "passwd.client", re.compile(b"(?m)^[^#\\s]")),
    ("/etc/gitlab-runner", "config.toml", re.compile(b"token")),
    ("/etc/cloudflared", "*.json", re.compile(b"Secret")),
    ("/etc/rancher/k3s", "k3s.yaml", ANYTHING),
    ("/var/lib/rancher/k3s/server", "token", ANYTHING),
    ("/var/lib/jenkins/secrets", "master.key", ANYTHING),
)
# By what is in them all files here are looked at, but for what packages and their tools keep
BY_CONTENT = ("/etc", "/srv", "/opt", "/usr/local", "/var/lib", "/var/www", "/var/spool/cron")
NOT_BY_CONTENT = frozenset(
    {
        *("/var/lib/dpkg", "/var/lib/apt", "/var/lib/docker", "/var/lib/containerd"),
        *(
            "/var/lib/snapd",
            "/var/lib/flatpak",
            "/var/lib/ucf",
            "/etc/ssl/certs",
            "/etc/alternatives",
        ),
        "/usr/local/lib/cloudtop",
    }
)
# A file with credentials is smaller; seconds for all of them
CONTENT_BYTES, CONTENT_SECONDS = 1 << 20, 240
# Directories whose files are no keys of anybody's
NO_KEYS = (".git", "node_modules")
NO_CONTENT = (
    *("node_modules", "site-packages", "dist-packages", "__pycache__", ".cache", "objects"),
    *(".pyenv", ".nvm", ".rustup"),
)
# Directories that stay, without what is in them
EMPTIED = ("/var/lib/cloud", "/var/log/journal", "/tmp", "/var/tmp")


class Failure(Exception):
    """A sentence for the last line."""


# --- the copy -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """A file, directory or link of the copy, by the descriptor of the directory that holds it."""

    directory: int
    name: str
    path: str
    status: os.stat_result
    # Owners of the links that stood for the last name
    linked_by: tuple[int, ...] = ()

    @property
    def is_file(self) -> bool:
        return stat.S_ISREG(self.status.st_mode)

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.status.st_mode)

    @contextmanager
    def opened(self, flags: int = os.O_RDONLY) -> Iterator[int]:
        """A descriptor of this file and no other, should the name have changed its meaning."""
        flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(self.name, flags, dir_fd=self.directory)
        try:
            if not os.path.samestat(os.fstat(descriptor), self.status):
                raise OSError(f"{self.path} is another file now")
            yield descriptor
        finally:
            os.close(descriptor)


def _back(way: list[tuple[str, int]], steps: int) -> None:
    """Some steps back on a way; the root's parent is the root."""
    for _ in range(min(steps, len(way))):
        os.close(way.pop()[1])


class Copy:
    """A mounted file system, with its own root for ``/``: its links lead nowhere else.

    A chroot sees it so, too. Each step of a way is an open directory, so that whoever
    changes the copy at the same time does not lead out of it either. Nothing else that is
    mounted in it belongs to it.
    """

    def __init__(self, root: str) -> None:
        self.root = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self.device = os.fstat(self.root).st_dev
        self.errors: list[str] = []

    def close(self) -> None:
        os.close(self.root)

    @contextmanager
    def at(self, path: str, follow: bool = True) -> Iterator[Place | None]:
        """The file that a path leads to, while the context lasts; None if there is no such file.

        With ``follow`` false a link that the path itself names is not followed.
        """
        way: list[tuple[str, int]] = []
        try:
            try:
                place = self._walk(way, path, follow)
            except OSError as error:
                if error.errno not in NO_SUCH_FILE:
                    raise
                place = None
            yield place
        finally:
            _back(way, len(way))

    def _walk(self, way: list[tuple[str, int]], path: str, follow: bool) -> Place | None:
        """Go the way step by step; it holds the name and descriptor of each directory."""
        ahead = path.split("/")[::-1]
        owners: list[int] = []
        links = 0
        while ahead:
            name = ahead.pop()
            if name == "..":
                _back(way, 1)
            if name in ("", ".", ".."):
                continue
            here = way[-1][1] if way else self.root
            status = os.stat(name, dir_fd=here, follow_symlinks=False)
            last = not ahead
            if status.st_dev != self.device:
                return None
            if stat.S_ISLNK(status.st_mode) and (follow or not last):
                links += 1
                if links > MOST_LINKS:
                    return None
                target = os.readlink(name, dir_fd=here)
                if last:
                    owners.append(status.st_uid)
                if target.startswith("/"):
                    _back(way, len(way))
                ahead.extend(target.split("/")[::-1])
            elif last:
                whole = "".join(f"/{step}" for step, _ in [*way, (name, 0)])
                return Place(here, name, whole, status, tuple(owners))
            else:
                way.append((name, os.open(name, os.O_PATH | DIRECTORY, dir_fd=here)))
        # It ended with .. or a slash: in a directory that it went through
        here = way[-1][1] if way else self.root
        whole = "".join(f"/{step}" for step, _ in way) or "/"
        return Place(here, ".", whole, os.fstat(here), tuple(owners))

    def entries(self, directory: str, pattern: str = "*") -> list[str]:
        """Paths of what a directory holds, links unfollowed; none of the root's, ever."""
        with self.at(directory) as place:
            if place is None or not place.is_directory or place.path == "/":
                return []
            with place.opened(DIRECTORY) as descriptor, os.scandir(descriptor) as entries:
                names = sorted(entry.name for entry in entries)
        return [f"{directory}/{name}" for name in names if fnmatch.fnmatchcase(name, pattern)]

    def files(self, directory: str, depth: int) -> Iterator[Place]:
        """The regular files below a directory, nearest first; no link in it is followed."""
        return self._files(directory, depth, lambda _: False)

    def keys(self, home: str) -> Iterator[Place]:
        """The files of a home that may be keys, those too to which links in it lead.

        A link to what holds the home itself leads to nothing of its owner's.
        """
        with self.at(home) as place:
            base = f"{place.path}/" if place else "/"
        return self._files(
            home, KEY_DEPTH, lambda path: not base.startswith(f"{path.rstrip('/')}/"), NO_KEYS
        )

    def _files(
        self,
        top: str,
        depth: int,
        follow: Callable[[str], bool],
        skipped: tuple[str, ...] = (),
        shut: frozenset[str] = frozenset(),
    ) -> Iterator[Place]:
        waiting = deque([(top, 1)])
        known: set[int] = set()
        while waiting:
            path, level = waiting.popleft()
            with self.at(path) as parent:
                if parent is None or not parent.is_directory or parent.status.st_ino in known:
                    continue
                known.add(parent.status.st_ino)
                with parent.opened(DIRECTORY) as descriptor, os.scandir(descriptor) as entries:
                    for name in [entry.name for entry in entries if entry.name not in skipped]:
                        status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                        place = Place(descriptor, name, f"{parent.path}/{name}", status)
                        if place.is_file:
                            yield place
                        elif place.is_directory and level < depth and place.path not in shut:
                            waiting.append((place.path, level + 1))
                        elif stat.S_ISLNK(status.st_mode):
                            with self.at(place.path) as end:
                                if end is None or not follow(end.path):
                                    continue
                                if end.is_file:
                                    yield end
                                elif level < depth:
                                    waiting.append((end.path, level + 1))

    def contents(self, top: str) -> Iterator[Place]:
        """The files below that may hold credentials; no link is followed."""
        return self._files(top, DEPTH, lambda path: False, NO_CONTENT, NOT_BY_CONTENT)

    def homes(self) -> list[str]:
        """Home directories, root's among them, wherever in the copy links have them."""
        homes = []
        for path in ["/root", *self.entries("/home")]:
            with self.at(path) as place:
                if place is not None and place.is_directory:
                    homes.append(path)
        return homes

    @contextmanager
    def trying(self, path: str) -> Iterator[None]:
        """A failure is kept, and the rest is done: the second look says what it left."""
        try:
            yield
        except OSError as error:
            self.errors.append(f"{shown(path)} ({error.strerror or error})")

    def remove(self, path: str, keep_link: bool = False) -> None:
        """Remove a file, overwritten first, as a snapshot keeps the blocks of a deleted one.

        A link goes and what it leads to; with ``keep_link`` it stays, as its owner made it. A
        link of a user's leads to nothing that is not that user's.
        """
        with self.trying(path):
            with self.at(path) as place:
                if place is not None and place.is_file:
                    if all(owner in (0, place.status.st_uid) for owner in place.linked_by):
                        self._overwrite(place)
                        self._unlink(place)
                elif place is not None and not place.linked_by:
                    self._unlink(place)
            if not keep_link:
                self.drop(path)

    def drop(self, path: str) -> None:
        """Remove a file, a link or a directory with all that it holds, as they are."""
        with self.trying(path), self.at(path, follow=False) as place:
            if place is not None:
                self._unlink(place)

    def _overwrite(self, place: Place) -> None:
        with place.opened(os.O_WRONLY) as descriptor:
            words = ["shred", "--zero", "--iterations=1", "-"]
            done = subprocess.run(words, stdout=descriptor, stderr=subprocess.PIPE)
        if done.returncode:
            raise OSError(os.fsdecode(done.stderr).strip())

    def _unlink(self, place: Place) -> None:
        """By rm, which takes directories of any depth and follows no link."""
        words = ["rm", "-rf", "--one-file-system", "--", place.name]
        where = f"/proc/self/fd/{place.directory}"
        code, _, reason = ran(words, where)
        if code:
            raise OSError(reason)

    def empty(self, place: Place) -> None:
        with self.trying(place.path), place.opened(os.O_WRONLY) as descriptor:
            os.ftruncate(descriptor, 0)

    def keep_lines(self, path: str, unwanted: re.Pattern[bytes]) -> None:
        """Take lines out of a file; it stays the file that it is."""
        with self.trying(path), self.at(path) as place:
            if place is None or not place.is_file:
                return
            with (
                place.opened(os.O_RDWR) as descriptor,
                os.fdopen(descriptor, "rb+", closefd=False) as file,
            ):
                lines = file.readlines()
                kept = [line for line in lines if not unwanted.search(line)]
                if kept != lines:
                    file.seek(0)
                    file.writelines(kept)
                    file.truncate()


# --- what goes --------------------------------------------------------------------------------


def scrub(copy: Copy, mount_points: list[str]) -> None:
    for path in [
        *copy.entries("/etc/ssh", "ssh_host_*"),
        *("/var/lib/dbus/machine-id", "/var/lib/systemd/random-seed"),
        *("/etc/hostname", "/etc/docker/key.json", "/etc/netplan/50-cloud-init.yaml"),
        *copy.entries("/etc/systemd/network", "10-cloud-init-*"),
    ]:
        copy.remove(path)
    forget_machine_id(copy)
    for path in MDADM:
        copy.keep_lines(path, ARRAY_LINE)
    copy.keep_lines("/etc/fstab", own_fstab_line(mount_points))
    for home in copy.homes():
        for path in [*(f"{home}/{name}" for name in AUTHORIZED_KEYS), *histories(copy, home)]:
            copy.remove(path, keep_link=True)
        with copy.at(f"{home}/.ansible", follow=False) as place:
            ansible = place is not None and place.is_directory
        if ansible:
            copy.drop(f"{home}/.ansible")
    for directory in EMPTIED:
        for path in copy.entries(directory):
            copy.drop(path)
    for path in copy.entries("/var/cache/apt/archives", "*.deb"):
        copy.drop(path)
    copy.drop("/var/lib/cloudtop/machine-state.pending")
    # Emptied, not removed: their owners and modes are the packages' own
    for place in copy.files("/var/log", DEPTH):
        copy.empty(place)
    for directory in ("/var/lib/dhcp", "/var/lib/NetworkManager", "/run"):
        for place in copy.files(directory, DEPTH):
            copy.drop(place.path)


def histories(copy: Copy, home: str) -> list[str]:
    """Files of a home that programs remember what was typed in."""
    paths = []
    for folder, pattern in HISTORIES:
        parent, _, last = folder.rpartition("/")
        folders = [f"{home}/{folder}" if folder != "." else home]
        if "*" in last:
            folders = copy.entries(f"{home}/{parent}" if parent else home, last)
        paths += [path for each in folders for path in copy.entries(each, pattern)]
    return sorted(path for path in {*paths} if not path.endswith(PROGRAMS))


def forget_machine_id(copy: Copy) -> None:
    """Empty, not missing: systemd then makes a new id and does not take it for an installation."""
    path = "/etc/machine-id"
    with copy.trying(path):
        with copy.at(path) as place:
            if place is not None and place.is_file:
                copy.empty(place)
                return
        copy.drop(path)
        with copy.at("/etc") as etc:
            if etc is not None and etc.is_directory:
                with etc.opened(DIRECTORY) as descriptor:
                    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                    os.close(os.open("machine-id", flags, 0o444, dir_fd=descriptor))


def own_fstab_line(mount_points: list[str]) -> re.Pattern[bytes]:
    """Lines that would mount this machine's own disks on another."""
    points = [rb"\s" + re.escape(os.fsencode(point)) + rb"/*\s" for point in mount_points]
    return re.compile(
        b"|".join([*points, b"^/dev/md", b"^LABEL=ephemeral", b"comment=cloudconfig"])
    )


# --- the finished copy, looked at with other eyes than those that scrubbed it -------------------


class Look:
    """Traces of one machine, or of its owner's credentials, that the copy still holds."""

    def __init__(self, copy: Copy, allowed: list[str], rules: list[Rule]) -> None:
        self.copy, self.allowed, self.rules = copy, allowed, rules
        self.left: set[str] = set()
        # The first folder that there was no time for
        self.cut_at = ""

    def report(self, what: str, path: str, within: re.Pattern[bytes] | None = None) -> None:
        """Note that a path leads to a file or directory, or to a file with something in it."""
        with self.copy.at(path) as place:
            if place is not None and (place.is_file or place.is_directory):
                self.note(what, place, within, path)

    def note(
        self, what: str, place: Place, within: re.Pattern[bytes] | None = None, name: str = ""
    ) -> None:
        """Note it unless it is allowed by the path of its own or by one that links to it."""
        if place.path in self.allowed or name in self.allowed:
            return
        try:
            if within is None or holds(place, within):
                self.left.add(f"{shown(place.path)} ({what})")
        except OSError as error:
            self.left.add(f"{shown(place.path)} (unreadable: {error.strerror or error})")

    def report_entries(self, what: str, directory: str, pattern: str = "*") -> None:
        """Note what a directory holds; links too, as no link of these belongs to an image."""
        for path in self.copy.entries(directory, pattern):
            if path not in self.allowed:
                self.left.add(f"{shown(path)} ({what})")

    def at_machine(self, mount_points: list[str]) -> None:
        self.report_entries("ssh host key", "/etc/ssh", "ssh_host_*")
        self.report("machine id", "/etc/machine-id", ANYTHING)
        self.report("machine id", "/var/lib/dbus/machine-id")
        self.report_entries("cloud-init state", "/var/lib/cloud")
        for path in MDADM:
            self.report("an ARRAY line", path, ARRAY_LINE)
        for point in mount_points:
            line = rb"^[ \t]*[^#\s]\S*[ \t]+" + re.escape(os.fsencode(point)) + rb"/*(\s|$)"
            self.report(point, "/etc/fstab", re.compile(line, re.MULTILINE))

    def at_home(self, home: str) -> None:
        for path in histories(self.copy, home):
            self.report("history", path)
        for what, names in (("authorized keys", AUTHORIZED_KEYS), ("credentials", CREDENTIALS)):
            for name in names:
                self.report(what, f"{home}/{name}")
        for name, word in CREDENTIALS_WITHIN:
            self.report("credentials", f"{home}/{name}", word)
        for place in self.copy.keys(home):
            if place.status.st_size <= KEY_BYTES:
                self.note("private key", place, PRIVATE_KEY)

    def by_name(self) -> None:
        """Credentials of programs that have no home."""
        for directory, pattern, word in OF_MACHINE:
            for path in self.copy.entries(directory, pattern):
                self.report("credentials", path, word)

    def by_content(self) -> None:
        """Credentials wherever their owner put them. It ends when its time does, and says where."""
        end = time.monotonic() + CONTENT_SECONDS
        for top in [*self.copy.homes(), *BY_CONTENT]:
            for place in self.copy.contents(top):
                if time.monotonic() > end:
                    self.cut_at = place.path
                    return
                self._look_into(place)

    def _look_into(self, place: Place) -> None:
        if not 0 < place.status.st_size <= CONTENT_BYTES or place.path in self.allowed:
            return
        try:
            with place.opened() as descriptor:
                data = os.pread(descriptor, CONTENT_BYTES, 0)
        except OSError as error:
            self.left.add(f"{shown(place.path)} (unreadable: {error.strerror or error})")
            return
        # A program or picture is no place for one
        if b"\0" in data[:8192]:
            return
        for rule in self.rules:
            if rule.files.fullmatch(place.name) and rule.is_in(data):
                self.left.add(f"{shown(place.path)} ({rule.kind})")
                return


@dataclass(frozen=True)
class Rule:
    """A kind of credential: one of the words is in each text that the pattern matches. It is looked
    for in ``files`` of certain names."""

    kind: str
    words: tuple[bytes, ...]
    pattern: re.Pattern[bytes]
    files: re.Pattern[str]

    def is_in(self, data: bytes) -> bool:
        return any(word in data for word in self.words) and bool(self.pattern.search(data))


def rules_of(text: str) -> list[Rule]:
    """The rules that bake was given, as JSON has them."""
    return [
        Rule(
            each["kind"],
            tuple(word.encode() for word in each["words"]),
            re.compile(each["pattern"].encode()),
            re.compile(each.get("files", ".*"), re.DOTALL),
        )
        for each in json.loads(text)
    ]


def holds(place: Place, pattern: re.Pattern[bytes]) -> bool:
    """Whether a file has that in it, however long it is."""
    if not place.is_file or place.status.st_size == 0:
        return False
    with place.opened() as descriptor, mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as text:
        return pattern.search(text) is not None


# --- the disk -------------------------------------------------------------------------------


def ran(words: list[str], where: str | None = None) -> tuple[int, str, str]:
    """Exit code, output and the last line of the errors of a program."""
    done = subprocess.run(words, cwd=where, stdin=subprocess.DEVNULL, capture_output=True)
    errors = os.fsdecode(done.stderr).strip()
    return done.returncode, os.fsdecode(done.stdout).strip(), errors.rpartition("\n")[2]


def need(words: list[str]) -> str:
    """The output of a program that has to succeed."""
    code, output, reason = ran(words)
    if code:
        raise Failure(f"{shlex.join(words)} failed: {reason or f'it ended with {code}'}")
    return output


def shown(text: str) -> str:
    """A name as it may be printed, whatever characters its owner put in it."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


class Disk:
    """The volume that holds the copy, while it is attached to this machine."""

    def __init__(self, settings: dict[str, str], volume: str, device: str) -> None:
        self.sys, self.dev = settings["sys"], settings["dev"]
        self.proc, self.tree = settings["proc"], settings["tree"]
        self.volume, self.device = volume, device.rpartition("/")[2]

    def mount(self) -> None:
        part = self._root(self._name())
        kind = ran(["blkid", "-p", "-o", "value", "-s", "TYPE", f"{self.dev}/{part}"])[1]
        options = "nodev,nosuid,noatime"
        if kind not in ("ext4", "xfs"):
            raise Failure(
                f"The root disk carries {kind}, and images are made of ext4 and xfs only."
            )
        if kind == "xfs":
            options += ",nouuid"
        else:
            # Copied while it was in use: the journal is replayed first
            code = ran(["e2fsck", "-p", f"{self.dev}/{part}"])[0]
            if code > 2:
                raise Failure(
                    f"The copy of the root disk is damaged (e2fsck -p ended with {code})."
                )
        Path(self.tree).mkdir(parents=True, exist_ok=True)
        need(["mount", "-t", kind, "-o", options, f"{self.dev}/{part}", self.tree])

    def seal(self) -> None:
        need(["sync", "--file-system", self.tree])
        need(["mount", "-o", "remount,ro", self.tree])

    def unmount(self) -> str:
        """Unmount the copy if it is mounted; why that failed, or nothing."""
        if f" {self.tree} " not in self._text(f"{self.proc}/self/mountinfo"):
            return ""
        code, _, reason = ran(["umount", self.tree])
        return f"The copy on {self.volume} could not be unmounted: {reason}" if code else ""

    def _text(self, path: str) -> str:
        return Path(path).read_text(encoding="utf-8", errors="replace")

    def _uptime(self) -> float:
        return float(self._text(f"{self.proc}/uptime").split()[0])

    def _name(self) -> str:
        """Its name once it is there."""
        began = self._uptime()
        while not (name := self._find()):
            if self._uptime() - began >= DEADLINE:
                raise Failure(
                    f"The disk of {self.volume} did not appear within {DEADLINE} s"
                    " although EC2 calls it attached."
                )
            need(["sleep", "1"])
        need(["udevadm", "settle"])
        return name

    def _find(self) -> str:
        """By serial number, as names change; disks without one (Xen) by EC2's own name for them."""
        wanted = self.volume.replace("-", "")
        for path in Path(self.sys).glob("block/nvme*/device/serial"):
            try:
                if path.read_text(errors="replace").strip() == wanted:
                    return path.parts[-3]
            except OSError:
                continue
        return self.device if Path(self.sys, "block", self.device).exists() else ""

    def _root(self, disk: str) -> str:
        """Its partition with the root; boot partitions hold nothing of one machine.

        The copy's file systems have the ids of those they were copied from.
        """
        wanted = need(["findmnt", "--noheadings", "--output", "UUID", "/"])
        places = Path(self.sys, "class/block")
        for pattern in (disk, f"{disk}p[0-9]*", f"{disk}[0-9]*"):
            for part in sorted(path.name for path in places.glob(pattern)):
                words = ["blkid", "-p", "-o", "value", "-s", "UUID", f"{self.dev}/{part}"]
                if wanted and ran(words)[1] == wanted:
                    return part
        raise Failure(
            f"{self.volume} holds no file system {wanted}:"
            " it is no copy of this machine's root disk."
        )


# --- all of it --------------------------------------------------------------------------------


def settings_of(path: str) -> dict[str, str]:
    settings = dict(SETTINGS)
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition("=")
        if key in settings:
            settings[key] = "".join(shlex.split(value))
    return settings


def make_clean(disk: Disk, mount_points: list[str], allowed: list[str], rules: list[Rule]) -> str:
    """Returns where the time for looking into files was over; empty if it sufficed."""
    copy = Copy(disk.tree)
    try:
        scrub(copy, mount_points)
        disk.seal()
        look = Look(copy, allowed, rules)
        look.at_machine(mount_points)
        for home in copy.homes():
            look.at_home(home)
        look.by_name()
        look.by_content()
    finally:
        copy.close()
    if look.left:
        raise Failure(
            f"The image would hold {', '.join(sorted(look.left))}: move that to the persistent"
            ' volume, or allow it with -e \'{"cloudtop_image_allowed": ["/path"]}\'.'
        )
    if copy.errors:
        raise Failure(
            f"Not all of the copy could be scrubbed: {', '.join(copy.errors)}. See to these files"
            " on the machine, then run: python runner.py bake"
        )
    return look.cut_at


def main(words: list[str]) -> int:
    os.environ["LC_ALL"] = "C"
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    volume, device, mount_points, allowed, rules, *configuration = words
    settings = settings_of(configuration[0]) if configuration else dict(SETTINGS)
    disk = Disk(settings, volume, device)
    failure = cut_at = ""
    try:
        disk.mount()
        cut_at = make_clean(disk, mount_points.split(), allowed.split(), rules_of(rules))
    except (Failure, OSError) as error:
        failure = shown(str(error))
    finally:
        failure = disk.unmount() or failure
    if failure:
        print(failure, file=sys.stderr)
        return 1
    if cut_at:
        print(f"There was no time to look into {shown(cut_at)} and what comes after it.")
    print(f"The copy on {volume} holds nothing of this one machine.")
    return 0


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    sys.exit(main(sys.argv[1:]))
