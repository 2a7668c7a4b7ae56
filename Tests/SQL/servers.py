"""Servers of the tests' own."""

import pwd

from harness import *


def newest_binaries():
    """The directory of the newest installed server that has initdb."""
    found = pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(found, key=lambda path: float(path.parts[-3]), default=shutil.which("initdb"))
    return newest and os.path.dirname(newest)


def own(directory):
    """Gives a directory to the user that servers run as: never root."""
    os.chmod(directory, 0o755)
    if os.geteuid() == 0:
        for name in ("postgres", "nobody"):
            with contextlib.suppress(LookupError):
                return shutil.chown(directory, name)


class Server:
    def __init__(self, name, source=None):
        self.root = pathlib.Path(ARGUMENTS.pgdata)
        self.data, self.name = self.root / name, name
        self.url = f"host={self.root} port={self.port(name)} user=sluice dbname=postgres"
        shutil.rmtree(self.data, ignore_errors=True)
        if source is None:
            self.run(
                "initdb",
                "-D",
                self.data,
                "-U",
                "sluice",
                "-E",
                "UTF8",
                "--no-locale",
                "--auth-local=trust",
                "--auth-host=reject",
                "--no-instructions",
            )
        else:
            self.run(
                "pg_basebackup",
                "-d",
                source.url,
                "-D",
                self.data,
                "-R",
                "-c",
                "fast",
                "-X",
                "stream",
            )

    @staticmethod
    def port(name):
        return 5432 + sum(name.encode())

    @staticmethod
    def user():
        owner = os.stat(ARGUMENTS.pgdata)
        if os.geteuid() or not owner.st_uid:
            return []
        gid = pwd.getpwuid(owner.st_uid).pw_gid
        return [f"--reuid={owner.st_uid}", f"--regid={gid}", "--clear-groups"]

    def run(self, tool, *arguments, **more):
        done = subprocess.run(
            ["setpriv", *self.user(), os.path.join(ARGUMENTS.pgbin, tool), *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **more,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def start(self, *options):
        log = open(self.root / f"{self.name}.log", "a")
        # It ends with this program, whatever ends that.
        self.process = subprocess.Popen(
            [
                "setpriv",
                "--pdeathsig=INT",
                *self.user(),
                os.path.join(ARGUMENTS.pgbin, "postgres"),
                "-D",
                str(self.data),
                "-p",
                str(self.port(self.name)),
                "-c",
                "listen_addresses=",
                "-c",
                f"unix_socket_directories={self.root}",
                "-c",
                "shared_buffers=32MB",
                "-c",
                "wal_level=replica",
                "-c",
                "max_wal_senders=4",
                *options,
            ],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
        )
        eventually(self.answers, 40)
        return self

    def answers(self):
        assert self.process.poll() is None, f"{self.name} ended, see its log"
        with contextlib.suppress(psycopg.OperationalError):
            connect(self.url).close()
            return True

    def postmaster(self):
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def kill(self):
        os.kill(self.postmaster(), signal.SIGKILL)
        self.process.wait()
        time.sleep(0.5)

    def stop(self):
        if self.process.poll() is None:
            os.kill(self.postmaster(), signal.SIGINT)
            self.process.wait(30)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            self.stop()


def sessions_incarnation(url):
    return one(connect(url), "SELECT * FROM sluice.incarnation()")


def promoted(primary, standby):
    standby.run("pg_ctl", "promote", "-D", standby.data, "-w")
    eventually(lambda: not one(connect(standby.url), "SELECT pg_is_in_recovery()"))
