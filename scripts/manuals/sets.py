"""The documentation sets: whose they are, which of their files are taken, and how they are laid out.

Each set is a package of Debian's. It is fetched with `apt-get download`, unpacked with `dpkg-deb -x` into
the cache folder, and the chosen files are laid into a folder of the set's name. Nothing is installed, and
nothing of it belongs into the repository.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path


class Unavailable(Exception):
    """A set cannot be laid out; the message says what to do."""


@dataclass(frozen=True, slots=True)
class ManualSet:
    """`version` is the one for which the questions were written; of `folder`, the files named are taken.

    `fits`: its questions are there to fit confidence on, so no measure may count them.
    """

    name: str
    package: str
    version: str
    folder: str
    files: tuple[str, ...]
    form: str
    fits: bool = False


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
_EXIM = (
    "ch-access_control_lists ch-address_batching_in_local_transports ch-address_rewriting "
    "ch-building_and_installing_exim ch-content_scanning_at_acl_time "
    "ch-customizing_bounce_and_warning_messages ch-dkim_spf_srs_and_dmarc "
    "ch-domain_host_address_and_local_part_lists ch-embedded_perl "
    "ch-encrypted_smtp_connections_using_tlsssl ch-environment_for_running_local_transports ch-events "
    "ch-exim_utilities ch-file_and_database_lookups ch-format_of_spool_files "
    "ch-generic_options_for_routers ch-generic_options_for_transports "
    "ch-how_exim_receives_and_delivers_mail ch-internationalisation ch-introduction ch-log_files "
    "ch-main_configuration ch-message_processing ch-proxies ch-regular_expressions ch-retry_configuration "
    "ch-security_considerations ch-smtp_authentication ch-smtp_processing "
    "ch-some_common_configuration_settings ch-starting_the_daemon_and_the_use_of_network_interfaces "
    "ch-string_expansions ch-systemwide_message_filtering ch-the_accept_router "
    "ch-the_appendfile_transport ch-the_autoreply_transport ch-the_crammd5_authenticator "
    "ch-the_cyrussasl_authenticator ch-the_default_configuration_file ch-the_dnslookup_router "
    "ch-the_dovecot_authenticator ch-the_exim_command_line ch-the_exim_runtime_configuration_file "
    "ch-the_external_authenticator ch-the_gsasl_authenticator ch-the_heimdalgssapi_authenticator "
    "ch-the_ipliteral_router ch-the_iplookup_router ch-the_lmtp_transport ch-the_manualroute_router "
    "ch-the_pipe_transport ch-the_plaintext_authenticator ch-the_queryprogram_router "
    "ch-the_redirect_router ch-the_smtp_transport ch-the_spa_authenticator ch-the_tls_authenticator "
    "ch-using_exim_as_a_nonqueueing_client filter_ch-exim_filter_files "
    "filter_ch-forwarding_and_filtering_in_exim filter_ch-sieve_filter_files"
)
_MUTT = (
    "advancedusage configuration gettingstarted intro mimesupport miscellany optionalfeatures reference "
    "security tuning"
)
_APACHE = (
    "bind caching content-negotiation custom-error dns-caveats dso env expr filter getting-started "
    "handler logs mpm sections server-wide stopping suexec urlmapping howto/access howto/auth howto/cgi "
    "howto/htaccess howto/http2 howto/public_html howto/reverse_proxy howto/ssi "
    "misc/password_encryptions misc/security_tips mod/core mod/event mod/mod_alias mod/mod_allowmethods "
    "mod/mod_auth_basic mod/mod_auth_digest mod/mod_authn_socache mod/mod_authz_core "
    "mod/mod_authz_groupfile mod/mod_authz_host mod/mod_autoindex mod/mod_cache mod/mod_cache_disk "
    "mod/mod_cgi mod/mod_dav mod/mod_deflate mod/mod_dir mod/mod_expires mod/mod_headers "
    "mod/mod_include mod/mod_info mod/mod_log_config mod/mod_log_forensic mod/mod_macro mod/mod_mime "
    "mod/mod_proxy mod/mod_proxy_balancer mod/mod_proxy_hcheck mod/mod_ratelimit mod/mod_remoteip "
    "mod/mod_reqtimeout mod/mod_session mod/mod_session_cookie mod/mod_setenvif mod/mod_speling "
    "mod/mod_ssl mod/mod_status mod/mod_substitute mod/mod_unique_id mod/mod_userdir mod/mod_usertrack "
    "mod/mpm_common mod/prefork programs/ab programs/htcacheclean programs/htdigest programs/htpasswd "
    "programs/rotatelogs ssl/ssl_howto vhosts/ip-based vhosts/name-based"
)
_ZSH = (
    "Arithmetic-Evaluation Calendar-Function-System Command-Execution Completion-System "
    "Completion-Widgets Conditional-Expressions Expansion FAQ01 FAQ02 FAQ03 FAQ04 FAQ05 FAQ06 Files "
    "Functions Introduction Invocation Jobs-_0026-Signals Options Parameters Prompt-Expansion "
    "Redirection Roadmap Shell-Builtin-Commands Shell-Grammar TCP-Function-System User-Contributions "
    "Zftp-Function-System Zsh-Line-Editor Zsh-Modules"
)
_BORG = (
    "deployment/automated-local deployment/central-backup-server deployment/hosting-repositories "
    "deployment/image-backup deployment/pull-backup faq installation internals/data-structures "
    "internals/security quickstart usage/benchmark usage/borgfs usage/check usage/compact usage/config "
    "usage/create usage/delete usage/diff usage/extract usage/general usage/help usage/info usage/init "
    "usage/key usage/list usage/lock usage/mount usage/notes usage/prune usage/recreate usage/rename "
    "usage/serve usage/tar usage/upgrade"
)


def _named(stems: str, suffix: str) -> tuple[str, ...]:
    return tuple(f"{stem}{suffix}" for stem in stems.split())


SETS = (
    ManualSet(
        "sqlite",
        "sqlite3-doc",
        "3.40.1-2+deb12u2",
        "usr/share/doc/sqlite3",
        _named(_SQLITE, ".html"),
        "HTML written by hand",
    ),
    ManualSet(
        "policy",
        "debian-policy",
        "4.6.2.0",
        "usr/share/doc/debian-policy/policy.html",
        _named(_POLICY, ".html"),
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
        _named(_GIT, ".txt"),
        "AsciiDoc sources, text files",
    ),
    ManualSet(
        "exim",
        "exim4-doc-html",
        "4.96-1",
        "usr/share/doc/exim4-doc-html/spec_html",
        _named(_EXIM, ".html"),
        "HTML made of DocBook",
        fits=True,
    ),
    ManualSet(
        "mutt",
        "mutt",
        "2.2.12-0.1~deb12u2",
        "usr/share/doc/mutt/html",
        _named(_MUTT, ".html"),
        "HTML made of DocBook",
        fits=True,
    ),
    ManualSet(
        "apache",
        "apache2-doc",
        "2.4.71-1~deb12u1",
        "usr/share/doc/apache2-doc/manual/en",
        _named(_APACHE, ".html"),
        "HTML made of XML",
        fits=True,
    ),
    ManualSet(
        "zsh",
        "zsh-doc",
        "5.9-4",
        "usr/share/doc/zsh-common/html",
        _named(_ZSH, ".html"),
        "HTML made of Texinfo",
        fits=True,
    ),
    ManualSet(
        "borg",
        "borgbackup-doc",
        "1.2.4-1",
        "usr/share/doc/borgbackup/html",
        _named(_BORG, ".html"),
        "HTML made by Sphinx",
        fits=True,
    ),
)

MEASURED = tuple(manual for manual in SETS if not manual.fits)


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
            if source.exists():  # one that a newer package lacks shows in the check of the facts
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, folder / name)
    stamp.write_text(f"{version}\n{wanted}", "utf-8")
    return folder, version


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
