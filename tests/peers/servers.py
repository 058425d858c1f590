#!/usr/bin/env python3
"""Keeps one calendar server that is not ours for a test: Radicale, Xandikos, Cyrus, DAViCal or SOGo, on loopback alone.

Usage: servers.py NAME FOLDER PASSWORD   (root for the last three; their Debian packages are installed by tests/run)

When it is ready it prints one line, {"port": …}, or {"failed": …} and ends. Then each line of its standard input is a command and is answered by one line,
"done" or "failed: …":
  start, stop     starts it, stops it as its own service manager would
  keep, restore   keeps all it has stored, as a backup does; puts that back
  forget          forgets the history behind the sync tokens that were given, where the server has a way to
At the end of its input, which comes however the test ends, it stops the server and removes the folder.
"""
import contextlib, ctypes, glob, hashlib, imaplib, json, os, pwd, re, shutil, signal, socket, subprocess, sys, time

# The people whom each server knows, all with the same password: one for each check.
PEOPLE = [f"p{n}" for n in range(100)]
# Seconds that a server has until it listens, and until it has ended.
PATIENCE = 90
PR_SET_PDEATHSIG = 1


def free_port():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


def listens(port):
    with socket.socket() as asked:
        asked.settimeout(1)
        return asked.connect_ex(("127.0.0.1", port)) == 0


def run(*command, env=None, **more):
    ended = subprocess.run(command, env=dict(os.environ, **(env or {})), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)
    if ended.returncode:
        raise RuntimeError(f"{command[0]} ended with {ended.returncode}: {ended.stdout[-600:]}")
    return ended.stdout


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


class Server:
    """What they have in common: a folder, a port, children that end with us."""

    def __init__(self, folder, password):
        self.folder, self.password, self.port, self.children = folder, password, free_port(), []
        self.prepare()
        self.start()

    def child(self, *command, user=None, env=None, cwd=None):
        """Starts a program as a user of its own; it gets SIGTERM when we die."""
        libc = ctypes.CDLL(None)

        def become():
            if user:
                of = pwd.getpwnam(user)
                os.initgroups(user, of.pw_gid)
                os.setgid(of.pw_gid)
                os.setuid(of.pw_uid)
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

        log = open(f"{self.folder}/server.log", "ab")
        self.children.append(subprocess.Popen(
            command, env=dict(os.environ, **(env or {})), cwd=cwd or self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True, preexec_fn=become,
        ))
        return self.children[-1]

    def until(self, ready, what):
        for _ in range(PATIENCE * 20):
            for child in self.children:
                if child.poll() is not None:
                    raise RuntimeError(f"{child.args[0]} ended with {child.returncode}: {open(f'{self.folder}/server.log').read()[-600:]}")
            if ready():
                return
            time.sleep(0.05)
        raise RuntimeError(f"{what} is not ready after {PATIENCE} s: {open(f'{self.folder}/server.log').read()[-600:]}")

    def stop(self):
        for child in reversed(self.children):
            for sign in (signal.SIGTERM, signal.SIGKILL):
                if child.poll() is None:
                    child.send_signal(sign)
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        child.wait(4)
            # What it started itself and left behind.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
        self.children = []

    def end(self):
        self.stop()

    def stored(self):
        """The folders that hold all its state."""
        return ["data"]

    def keep(self):
        self.stop()
        for name in self.stored():
            shutil.rmtree(f"{self.folder}/{name}.kept", ignore_errors=True)
            run("cp", "-a", f"{self.folder}/{name}", f"{self.folder}/{name}.kept")
        self.start()

    def restore(self):
        self.stop()
        for name in self.stored():
            shutil.rmtree(f"{self.folder}/{name}")
            run("cp", "-a", f"{self.folder}/{name}.kept", f"{self.folder}/{name}")
        self.start()

    def forget(self):
        raise RuntimeError("this server has no way to")


class Radicale(Server):
    def prepare(self):
        os.makedirs(f"{self.folder}/data")
        write(f"{self.folder}/users", "".join(f"{name}:{self.password}\n" for name in PEOPLE))

    def start(self):
        of = ["--auth-type", "htpasswd", "--auth-htpasswd-encryption", "plain", "--auth-delay", "0", "--auth-htpasswd-filename", f"{self.folder}/users"]
        # Its time limit of 30 s is short for two processors that everybody shares.
        self.child(sys.executable, "-m", "radicale", "--config", "", "--server-hosts", f"127.0.0.1:{self.port}", "--server-timeout", "300",
                   "--storage-filesystem-folder", f"{self.folder}/data", *of)
        self.until(lambda: listens(self.port), "Radicale")


class Xandikos(Server):
    """It knows nobody: whoever asks is ada."""

    def prepare(self):
        os.makedirs(f"{self.folder}/data")

    def start(self):
        program = os.path.join(os.path.dirname(sys.executable), "xandikos")
        self.child(program, "serve", "-l", "127.0.0.1", "-p", str(self.port), "-d", f"{self.folder}/data", "--defaults", "--current-user-principal", "/ada/")
        self.until(lambda: listens(self.port), "Xandikos")


class Cyrus(Server):
    ADMIN = "cyrus"

    def prepare(self):
        at = self.folder
        self.imap, self.fresh = free_port(), True
        for name in ("conf", "spool", "proc", "lock", "sock"):
            os.makedirs(f"{at}/{name}")
        # Nobody is mailed: there is no sendmail behind these paths.
        write(f"{at}/imapd.conf", f"""configdirectory: {at}/conf
proc_path: {at}/proc
mboxname_lockpath: {at}/lock
defaultpartition: default
partition-default: {at}/spool
admins: {self.ADMIN}
allowplaintext: yes
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {at}/people
sasl_mech_list: PLAIN
servername: localhost
httpmodules: caldav
caldav_create_default: yes
caldav_allowscheduling: on
calendar_user_address_set: example.net
sendmail: /bin/true
conversations: off
idlesocket: {at}/sock/idle
lmtpsocket: {at}/sock/lmtp
notifysocket: {at}/sock/notify
unixhierarchysep: yes
virtdomains: off
""")
        write(f"{at}/cyrus.conf", f"""START {{
  recover cmd="ctl_cyrusdb -C {at}/imapd.conf -r"
}}
SERVICES {{
  imap cmd="imapd -C {at}/imapd.conf" listen="127.0.0.1:{self.imap}" prefork=0 maxchild=10
  http cmd="httpd -C {at}/imapd.conf" listen="127.0.0.1:{self.port}" prefork=2 maxchild=40
}}
EVENTS {{
  checkpoint cmd="ctl_cyrusdb -C {at}/imapd.conf -c" period=30
}}
""")
        for name in [*PEOPLE, self.ADMIN]:
            for realm in {"localhost", socket.gethostname(), socket.getfqdn()}:
                run("saslpasswd2", "-p", "-c", "-f", f"{at}/people", "-u", realm, name, input=self.password)
        run("chown", "-R", "cyrus:mail", at)

    def start(self):
        master = next(path for path in ("/usr/sbin/cyrmaster", "/usr/lib/cyrus/bin/master") if os.path.exists(path))
        self.child(master, "-C", f"{self.folder}/imapd.conf", "-M", f"{self.folder}/cyrus.conf", "-p", f"{self.folder}/master.pid", "-D")
        self.until(lambda: listens(self.imap) and listens(self.port), "Cyrus")
        if self.fresh:
            admin = imaplib.IMAP4("127.0.0.1", self.imap)
            admin.login(self.ADMIN, self.password)
            for name in PEOPLE:
                answer = admin.create(f"user/{name}")
                if answer[0] != "OK":
                    raise RuntimeError(f"no mailbox for {name}: {answer}")
            admin.logout()
            self.fresh = False

    def stored(self):
        return ["conf", "spool"]

    def forget(self):
        expire = next(path for path in ("/usr/lib/cyrus/bin/cyr_expire", "/usr/sbin/cyr_expire") if os.path.exists(path))
        run("setpriv", "--reuid=cyrus", "--regid=mail", "--init-groups", expire, "-C", f"{self.folder}/imapd.conf", "-E", "1", "-X", "0", "-D", "0", cwd="/")


class InPostgres(Server):
    """Its state is a database of a cluster of its own, on loopback."""
    DATABASE = "calendars"

    def cluster(self):
        at = f"{self.folder}/postgres"
        self.database_port = free_port()
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: [int(part) for part in re.findall(r"\d+", path)])
        self.programs = found[-1] if found else run("pg_config", "--bindir").strip()
        os.makedirs(at)
        shutil.chown(at, "postgres", "postgres")
        self.as_postgres = ("setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups")
        run(*self.as_postgres, f"{self.programs}/initdb", "-D", at, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", cwd="/")
        options = ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=200"]
        self.child(f"{self.programs}/postgres", "-D", at, "-p", str(self.database_port), "-k", "", *options, user="postgres", cwd="/")
        self.database = self.children.pop()
        for _ in range(PATIENCE * 20):
            ready = [f"{self.programs}/pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.database_port), "-U", "postgres", "-d", "postgres"]
            if subprocess.run(ready).returncode == 0:
                return
            time.sleep(0.05)
        raise RuntimeError("PostgreSQL is not ready: " + open(f"{self.folder}/server.log").read()[-600:])

    def sql(self, *statements, database=DATABASE):
        each = [word for statement in statements for word in ("-c", statement)]
        return run(f"{self.programs}/psql", "-qXAt", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(self.database_port), "-U", "postgres", "-d", database, *each)

    def keep(self):
        self.stop()
        self.sql("DROP DATABASE IF EXISTS kept WITH (FORCE)", f"CREATE DATABASE kept TEMPLATE {self.DATABASE}", database="postgres")
        self.start()

    def restore(self):
        self.stop()
        self.sql(f"DROP DATABASE {self.DATABASE} WITH (FORCE)", f"CREATE DATABASE {self.DATABASE} TEMPLATE kept", database="postgres")
        self.start()

    def end(self):
        self.stop()
        self.database.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.database.wait(20)


class Davical(InPostgres):
    """PHP behind nginx."""

    def prepare(self):
        at = self.folder
        # A port: the path of a socket has 107 bytes at most.
        self.php_port = free_port()
        self.cluster()
        # The package's files are links into /etc and look for their settings there; ours are in our folder.
        shutil.copytree("/usr/share/davical", f"{at}/app", ignore_dangling_symlinks=True)
        with open(f"{at}/app/htdocs/always.php") as file:
            always = file.read()
        write(f"{at}/app/htdocs/always.php", always.replace("/etc/davical/", f"{at}/etc/"))
        os.makedirs(f"{at}/etc")
        write(f"{at}/etc/config.php", f"""<?php
$c->pg_connect[] = 'host=127.0.0.1 port={self.database_port} dbname={self.DATABASE} user=davical_app';
$c->system_name = 'DAViCal';
$c->admin_email = 'admin@example.net';
$c->enable_auto_schedule = false;
$c->domain_name = '127.0.0.1';
""")
        of = {"PGHOST": "127.0.0.1", "PGPORT": str(self.database_port), "PGUSER": "postgres", "USER": "postgres", "PGDATABASE": self.DATABASE,
              "DBAOPTS": f"--dbhost 127.0.0.1 --dbport {self.database_port} --dbuser postgres"}
        run("sh", f"{at}/app/dba/create-database.sh", self.DATABASE, "admin", env=of)
        # One statement each: the view numbers the rows of one statement alike.
        insert = "INSERT INTO dav_principal (type_id, username, password, fullname, email, user_active) VALUES"
        self.sql(*(f"{insert} (1, '{name}', '**{self.password}', '{name}', '{name}@example.net', TRUE)" for name in PEOPLE))
        for name in ("body", "fastcgi", "proxy", "scgi", "uwsgi"):
            os.makedirs(f"{at}/tmp/{name}")
        write(f"{at}/fpm.conf", f"""[global]
pid = {at}/fpm.pid
error_log = {at}/fpm.log
daemonize = no
[www]
user = www-data
group = www-data
listen = 127.0.0.1:{self.php_port}
pm = static
pm.max_children = 8
clear_env = no
php_admin_value[memory_limit] = 512M
php_admin_value[error_log] = {at}/php.log
php_admin_flag[log_errors] = on
php_admin_flag[display_errors] = off
php_admin_value[post_max_size] = 64M
php_value[include_path] = .:../inc:/usr/share/awl/inc
""")
        write(f"{at}/nginx.conf", f"""user www-data;
worker_processes 1;
daemon off;
pid {at}/nginx.pid;
error_log {at}/nginx.log;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_max_body_size 64m;
  client_body_temp_path {at}/tmp/body; fastcgi_temp_path {at}/tmp/fastcgi; proxy_temp_path {at}/tmp/proxy;
  scgi_temp_path {at}/tmp/scgi; uwsgi_temp_path {at}/tmp/uwsgi;
  include /etc/nginx/mime.types;
  server {{
    listen 127.0.0.1:{self.port};
    server_name 127.0.0.1;
    absolute_redirect off;
    root {at}/app/htdocs;
    index index.php;
    location = / {{ {self.php("/caldav.php", "/caldav.php", "/")} }}
    location /.well-known/ {{ {self.php("/caldav.php", "/caldav.php", "$uri")} }}
    location ~ ^(/.+?\\.php)(/.*)?$ {{
      fastcgi_split_path_info ^(.+?\\.php)(/.*)$;
      {self.php("$fastcgi_script_name", "$fastcgi_script_name", "$fastcgi_path_info")}
    }}
  }}
}}
""")
        run("chown", "-R", "www-data:www-data", *(f"{at}/{name}" for name in ("app", "etc", "tmp")))

    def php(self, script, name, path):
        return f"""
      include /etc/nginx/fastcgi_params;
      fastcgi_param SCRIPT_FILENAME {self.folder}/app/htdocs{script};
      fastcgi_param SCRIPT_NAME {name};
      fastcgi_param PATH_INFO {path};
      fastcgi_param HTTP_AUTHORIZATION $http_authorization;
      fastcgi_read_timeout 300;
      fastcgi_buffering off;
      fastcgi_pass 127.0.0.1:{self.php_port};
"""

    def start(self):
        self.child(sorted(glob.glob("/usr/sbin/php-fpm*"))[-1], "-y", f"{self.folder}/fpm.conf", "-F")
        self.child("/usr/sbin/nginx", "-c", f"{self.folder}/nginx.conf", "-p", self.folder)
        self.until(lambda: listens(self.port) and listens(self.php_port), "DAViCal")

    def forget(self):
        self.sql("DELETE FROM sync_changes", "DELETE FROM sync_tokens")


class Sogo(InPostgres):
    """sogod alone: the web server in front of it would add the redirect of /.well-known."""

    def prepare(self):
        self.cluster()
        self.sql(f"CREATE DATABASE {self.DATABASE}", database="postgres")
        known = hashlib.md5(self.password.encode()).hexdigest()
        rows = ", ".join(f"('{name}', '{name}', '{known}', '{name}', '{name}@example.net')" for name in PEOPLE)
        self.sql("CREATE TABLE people (c_uid VARCHAR(128) PRIMARY KEY, c_name VARCHAR(128), c_password VARCHAR(128), c_cn VARCHAR(128), mail VARCHAR(128))",
                 f"INSERT INTO people VALUES {rows}")
        os.makedirs(f"{self.folder}/home")
        self.cache = free_port()
        run("chown", "-R", "sogo:sogo", f"{self.folder}/home")

    def start(self):
        tables = f"postgresql://postgres@127.0.0.1:{self.database_port}/{self.DATABASE}"
        person = f'{{ type = sql; id = directory; viewURL = "{tables}/people"; canAuthenticate = YES; isAddressBook = NO; userPasswordAlgorithm = md5; }}'
        settings = {
            "WOPort": f"127.0.0.1:{self.port}", "WOWorkersCount": "5", "WONoDetach": "YES", "WOLogFile": "-", "WOPidFile": f"{self.folder}/home/pid",
            "SOGoMemcachedHost": f"127.0.0.1:{self.cache}", "SOGoProfileURL": f"{tables}/profiles", "OCSFolderInfoURL": f"{tables}/folders",
            "OCSSessionsFolderURL": f"{tables}/sessions", "OCSEMailAlarmsFolderURL": f"{tables}/alarms", "SOGoTimeZone": "UTC", "SOGoMailDomain": "example.net",
            "SOGoAppointmentSendEMailNotifications": "NO", "SOGoCalendarDefaultRoles": "()", "SOGoEnablePublicAccess": "NO", "SOGoUserSources": f"({person})",
        }
        # The cache would answer from before a backup was restored, so it ends with the server.
        self.child("/usr/bin/memcached", "-l", "127.0.0.1", "-p", str(self.cache), "-m", "64", user="sogo")
        self.child("/usr/sbin/sogod", *(word for name, value in settings.items() for word in (f"-{name}", value)),
                   user="sogo", env={"HOME": f"{self.folder}/home", "LANG": "C.UTF-8"})
        self.until(lambda: listens(self.port), "SOGo")


SERVERS = {"radicale": Radicale, "xandikos": Xandikos, "cyrus": Cyrus, "davical": Davical, "sogo": Sogo}


def main():
    name, folder, password = sys.argv[1:]
    # Users of their own must come through.
    os.umask(0o022)
    os.chmod(folder, 0o755)
    # The folder is removed by us, and Ctrl-C in a terminal is the test's to answer.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = SERVERS[name].__new__(SERVERS[name])
    try:
        try:
            server.__init__(folder, password)
        except Exception as why:
            print(json.dumps({"failed": f"{type(why).__name__}: {why}"}), flush=True)
            return
        print(json.dumps({"port": server.port}), flush=True)
        for line in sys.stdin:
            try:
                {"start": server.start, "stop": server.stop, "keep": server.keep, "restore": server.restore, "forget": server.forget}[line.strip()]()
                print("done", flush=True)
            except Exception as why:
                print("failed: " + re.sub(r"\s+", " ", f"{type(why).__name__}: {why}"), flush=True)
    finally:
        with contextlib.suppress(Exception):
            server.end()
        # What it was writing when it was stopped may come while its folder goes.
        for _ in range(20):
            shutil.rmtree(folder, ignore_errors=True)
            if not os.path.exists(folder):
                break
            time.sleep(0.1)


if __name__ == "__main__":
    main()
