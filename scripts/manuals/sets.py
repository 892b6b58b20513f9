"""The documentation sets: whose they are, which of their files are taken, and how they are laid out.

Each set is a package of Debian's. It is fetched with `apt-get download`, unpacked with `dpkg-deb -x` into
the cache folder, and the chosen files are laid into a folder of the set's name. Nothing is installed, and
nothing of it belongs into the repository.
"""

from __future__ import annotations

import gzip
import shutil
import subprocess
import tempfile
from pathlib import Path

from manuals.fit_sets import FIT_SETS
from manuals.manual_set import ManualSet, named


class Unavailable(Exception):
    """A set cannot be laid out; the message says what to do."""


_SQLITE = (
    "atomiccommit autoinc backup carray cli compile copyright csv datatype3 dbhash dbstat different eqp "
    "errlog expridx faq fasterthanfs fileformat2 floatingpoint foreignkeys fts5 gencol howtocorrupt "
    "inmemorydb intern-v-extern-blob isolation json1 lang_aggfunc lang_altertable lang_analyze "
    "lang_attach lang_conflict lang_corefunc lang_createindex lang_createtable lang_createtrigger "
    "lang_createview lang_datefunc lang_delete lang_explain lang_expr lang_insert lang_returning "
    "lang_savepoint lang_select lang_transaction lang_update lang_upsert lang_vacuum lang_with limits "
    "loadext lockingv3 mmap nulls optoverview partialindex pragma printf queryplanner quirks rescode "
    "rowidtable rtree security sharedcache sqldiff stricttables tempfiles threadsafe uri wal whentouse "
    "windowfunctions withoutrowid zipfile"
)
_GIT = (
    "fetch-options git git-add git-am git-apply git-archive git-bisect git-blame git-branch git-bundle "
    "git-check-ignore git-checkout git-cherry-pick git-clean git-clone git-commit git-config git-daemon "
    "git-describe git-diff git-fast-import git-fetch git-filter-branch git-format-patch git-fsck git-gc "
    "git-grep git-hash-object git-init git-interpret-trailers git-log git-ls-files git-maintenance "
    "git-merge git-merge-base git-mv git-notes git-pack-objects git-prune git-pull git-push "
    "git-range-diff git-rebase git-reflog git-remote git-repack git-rerere git-reset git-restore "
    "git-rev-parse git-revert git-rm git-send-email git-shortlog git-show git-sparse-checkout git-stash "
    "git-status git-submodule git-svn git-switch git-tag git-update-index git-worktree gitattributes "
    "gitcredentials gitfaq githooks gitignore gitmodules gitrepository-layout gitrevisions revisions "
    "gitworkflows pretty-formats rev-list-options diff-options"
)
_POLICY = (
    "ap-pkg-alternatives ap-pkg-binarypkg ap-pkg-conffiles ap-pkg-controlfields ap-pkg-diversions "
    "ap-pkg-scope ap-pkg-sourcepkg ap-process ch-archive ch-binary ch-controlfields "
    "ch-customized-programs ch-docs ch-files ch-maintainerscripts ch-opersys ch-relationships ch-scope "
    "ch-sharedlibs ch-source upgrading-checklist"
)
_GIMP = (
    "gimp-concepts-undo gimp-using-setup-tile-cache gimp-fire-up gimp-image-window gimp-concepts-docks "
    "gimp-concepts-brushes gimp-using-animated-brushes gimp-using-variable-size-brush "
    "gimp-concepts-patterns gimp-concepts-palettes gimp-concepts-gradients gimp-layer-groups "
    "gimp-layer-merge-down gimp-layer-mask-add gimp-image-convert-indexed gimp-image-precision "
    "gimp-image-scale gimp-image-print-size gimp-image-resize gimp-image-flatten gimp-file-new "
    "gimp-file-save-as gimp-images-out gimp-file-open gimp-file-open-as-layer gimp-file-revert "
    "gimp-file-quit gimp-using-web-transparency gimp-using-web-reducing-file-size gimp-using-fonts "
    "font-problems gimp-tool-crop gimp-tool-text gimp-tool-clone gimp-tool-heal gimp-tool-measure "
    "gimp-tool-levels gimp-tool-curves gimp-tool-eraser gimp-tool-ink gimp-tool-airbrush "
    "gimp-tool-fuzzy-select gimp-tool-iscissors gimp-tool-foreground-select gimp-tool-bucket-fill "
    "gimp-tool-free-select gimp-tool-rect-select gimp-tool-path gimp-tool-align gimp-tool-warp "
    "gimp-tool-cage gimp-tool-color-picker gimp-filter-unsharp-mask gimp-filter-red-eye-removal "
    "plug-in-despeckle gimp-filter-gaussian-blur gimp-selection-border gimp-selection-grow "
    "gimp-selection-feather gimp-selection-float gimp-quick-mask-toggle gimp-view-fullscreen "
    "gimp-view-zoom gimp-symmetry-dialog gimp-histogram-dialog gimp-undo-dialog gimp-dashboard-dialog "
    "gimp-template-dialog customize-splashscreen install-script-fu gimp-stuck-indexed-mode "
    "gimp-stuck-layer-mask gimp-layer-new file-print-gtk gimp-image-guides plug-in-animationplay "
    "gimp-concepts-shortcuts gimp-imaging-photos"
)
_DOVECOT = (
    "ACL Authentication.Caching Authentication.MasterUsers Authentication.Mechanisms "
    "Authentication.PasswordSchemes Authentication.Penalty Authentication.Policy "
    "Authentication.MultipleDatabases Authentication.RestrictAccess AuthDatabase.PasswdFile "
    "AuthDatabase.SQL AuthDatabase.CheckPassword Chrooting Clients Debugging.Rawlog Director "
    "Errors.ChgrpNoPerm FindMailLocation HAProxy IndexFiles IMAPServer.Hibernation LDA LMTP LoginProcess "
    "Logging MailLocation.Maildir MailLocation.mbox MailLocation.dbox MailboxFormat.Maildir "
    "MailboxFormat.dbox MailboxSettings MboxLocking Migration.Gmail MissingMailboxes NFS Namespaces "
    "PasswordDatabase.ExtraFields PasswordDatabase.PAM Pigeonhole.Sieve.Extensions.Vacation "
    "Pigeonhole.Sieve.Extensions.Duplicate Pigeonhole.ManageSieve.Configuration Plugins.Expire "
    "Plugins.Lazyexpunge Plugins.Snarf Plugins.Trash Plugins.Zlib Plugins.FTS.Squat Plugins.LastLogin "
    "Plugins.Listescape POP3Server PostLoginScripting Quota Quota.Configuration Replication "
    "RunningDovecot Services SSL.CertificateCreation SSL.DovecotConfiguration SharedMailboxes.Public "
    "Submission TimeMovedBackwards Timeouts UserIds VirtualUsers.Home WhyDoesItNotWork "
    "Pigeonhole.Sieve.Configuration"
)
SETS = (
    ManualSet(
        "sqlite",
        "sqlite3-doc",
        "3.40.1-2+deb12u2",
        "usr/share/doc/sqlite3",
        named(_SQLITE, ".html"),
        "HTML written by hand",
    ),
    ManualSet(
        "policy",
        "debian-policy",
        "4.6.2.0",
        "usr/share/doc/debian-policy/policy.html",
        named(_POLICY, ".html"),
        "HTML made by Sphinx",
    ),
    ManualSet(
        "bash",
        "bash-doc",
        "5.2.15-2",
        "usr/share/doc/bash",
        ("bashref.pdf",),
        "a PDF made by TeX",
    ),
    ManualSet(
        "git",
        "git-doc",
        "1:2.39.5-0+deb12u3",
        "usr/share/doc/git-doc",
        named(_GIT, ".txt"),
        "AsciiDoc sources, text files",
    ),
    ManualSet(
        "gimp",
        "gimp-help-en",
        "2.10.34-2",
        "usr/share/gimp/2.0/help/en",
        named(_GIMP, ".html"),
        "HTML made of DocBook, for end users",
        kept=True,
    ),
    ManualSet(
        "dovecot",
        "dovecot-core",
        "1:2.3.19.1+dfsg1-2.1+deb12u7",
        "usr/share/doc/dovecot-core/wiki",
        named(_DOVECOT, ".txt"),
        "a wiki's pages as text files",
        kept=True,
    ),
    *FIT_SETS,
)

MEASURED = tuple(manual for manual in SETS if not manual.fits and not manual.kept)


def find_set(name: str) -> ManualSet:
    for manual in SETS:
        if manual.name == name:
            return manual
    raise Unavailable(f"there is no set {name!r}: there are {', '.join(manual.name for manual in SETS)}")


def lay_out(manual: ManualSet, cache: Path) -> tuple[Path, str]:
    """The folder of a set's files, made where it is missing, and the version of the package they are from."""
    folder, stamp = cache / "sets" / manual.name, cache / "sets" / f"{manual.name}.version"
    wanted = "\n".join(manual.files)
    if stamp.exists() and stamp.read_text("utf-8").partition("\n")[2] == wanted:
        return folder, stamp.read_text("utf-8").partition("\n")[0]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as work:
        version = _unpack(manual, Path(work))
        for name in manual.files:
            source = Path(work) / "tree" / manual.folder / name
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            take(source, folder / name)
    stamp.write_text(f"{version}\n{wanted}", "utf-8")
    return folder, version


def take(source: Path, target: Path) -> None:
    """Debian compresses text of over 4 KB. One that a newer package lacks shows in the check of the facts."""
    packed = source.with_name(f"{source.name}.gz")
    if source.exists():
        shutil.copy(source, target)
    elif packed.exists():
        target.write_bytes(gzip.decompress(packed.read_bytes()))


def _unpack(manual: ManualSet, work: Path) -> str:
    """The package's files under `work`/tree; returns its version."""
    _run(["apt-get", "download", manual.package], work, manual)
    (deb,) = work.glob("*.deb")
    _run(["dpkg-deb", "-x", deb.name, "tree"], work, manual)
    return _run(["dpkg-deb", "-f", deb.name, "Version"], work, manual).strip()


def _run(command: list[str], folder: Path, manual: ManualSet) -> str:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    except FileNotFoundError as error:
        raise Unavailable(
            f"{command[0]} is missing: the sets come from Debian's packages, so a system with apt is needed"
        ) from error
    except subprocess.CalledProcessError as error:
        raise Unavailable(
            f"{' '.join(command)} failed: {error.stderr.strip()}\n"
            f"Remedy: be online, run apt-get update, and see that apt-cache policy {manual.package} "
            "names a candidate."
        ) from error
    return done.stdout
