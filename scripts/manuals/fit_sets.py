"""The sets whose questions are there to fit confidence on. No measure counts them."""

from __future__ import annotations

from manuals.manual_set import ManualSet, named

_DOCKER = (
    "deprecated extend/config extend/index extend/legacy_plugins extend/plugin_api "
    "extend/plugins_authorization extend/plugins_logging extend/plugins_volume reference/builder "
    "reference/glossary reference/run reference/commandline/attach reference/commandline/build "
    "reference/commandline/cli reference/commandline/commit reference/commandline/container_prune "
    "reference/commandline/context_create reference/commandline/cp reference/commandline/create "
    "reference/commandline/diff reference/commandline/dockerd reference/commandline/events "
    "reference/commandline/exec reference/commandline/export reference/commandline/history "
    "reference/commandline/image_prune reference/commandline/images reference/commandline/import "
    "reference/commandline/info reference/commandline/inspect reference/commandline/kill "
    "reference/commandline/load reference/commandline/login reference/commandline/logs "
    "reference/commandline/network_connect reference/commandline/network_create "
    "reference/commandline/network_ls reference/commandline/node_update reference/commandline/ps "
    "reference/commandline/pull reference/commandline/push reference/commandline/rename "
    "reference/commandline/restart reference/commandline/rm reference/commandline/rmi "
    "reference/commandline/run reference/commandline/save reference/commandline/search "
    "reference/commandline/secret_create reference/commandline/service_create "
    "reference/commandline/service_update reference/commandline/stack_deploy reference/commandline/start "
    "reference/commandline/stats reference/commandline/stop reference/commandline/swarm_ca "
    "reference/commandline/swarm_init reference/commandline/swarm_join reference/commandline/swarm_update "
    "reference/commandline/system_df reference/commandline/system_prune reference/commandline/tag "
    "reference/commandline/top reference/commandline/update reference/commandline/version "
    "reference/commandline/volume_create reference/commandline/volume_ls reference/commandline/wait"
)
_GRAPHVIZ = (
    "dotguide neatoguide dot.1 gvpr.1 acyclic.1 bcomps.1 ccomps.1 cluster.1 dijkstra.1 edgepaint.1 gc.1 "
    "gml2gv.1 graphml2gv.1 gvcolor.1 gvgen.1 gvmap.1 gvmap.sh.1 gvpack.1 gxl2gv.1 lneato.1 mingle.1 "
    "mm2gv.1 nop.1 prune sccmap.1 tred.1 unflatten.1 vimdot.1"
)
_RUSTBOOK = (
    "appendix-01-keywords appendix-02-operators appendix-03-derivable-traits "
    "appendix-04-useful-development-tools appendix-05-editions appendix-07-nightly-rust "
    "ch01-01-installation ch01-02-hello-world ch01-03-hello-cargo ch03-01-variables-and-mutability "
    "ch03-02-data-types ch03-03-how-functions-work ch03-04-comments ch03-05-control-flow "
    "ch04-01-what-is-ownership ch04-02-references-and-borrowing ch04-03-slices ch05-01-defining-structs "
    "ch05-02-example-structs ch05-03-method-syntax ch06-01-defining-an-enum ch06-02-match ch06-03-if-let "
    "ch07-01-packages-and-crates ch07-02-defining-modules-to-control-scope-and-privacy "
    "ch07-03-paths-for-referring-to-an-item-in-the-module-tree "
    "ch07-04-bringing-paths-into-scope-with-the-use-keyword "
    "ch07-05-separating-modules-into-different-files ch08-01-vectors ch08-02-strings ch08-03-hash-maps "
    "ch09-01-unrecoverable-errors-with-panic ch09-02-recoverable-errors-with-result "
    "ch09-03-to-panic-or-not-to-panic ch10-01-syntax ch10-02-traits ch10-03-lifetime-syntax "
    "ch11-01-writing-tests ch11-02-running-tests ch11-03-test-organization "
    "ch12-01-accepting-command-line-arguments ch12-02-reading-a-file "
    "ch12-03-improving-error-handling-and-modularity ch12-04-testing-the-librarys-functionality "
    "ch12-05-working-with-environment-variables ch12-06-writing-to-stderr-instead-of-stdout "
    "ch13-01-closures ch13-02-iterators ch13-03-improving-our-io-project ch13-04-performance "
    "ch14-01-release-profiles ch14-02-publishing-to-crates-io ch14-03-cargo-workspaces "
    "ch14-04-installing-binaries ch14-05-extending-cargo ch15-01-box ch15-02-deref ch15-03-drop "
    "ch15-04-rc ch15-05-interior-mutability ch15-06-reference-cycles ch16-01-threads "
    "ch16-02-message-passing ch16-03-shared-state ch16-04-extensible-concurrency-sync-and-send "
    "ch17-01-what-is-oo ch17-02-trait-objects ch17-03-oo-design-patterns "
    "ch18-01-all-the-places-for-patterns ch18-02-refutability ch18-03-pattern-syntax ch19-01-unsafe-rust "
    "ch19-03-advanced-traits ch19-04-advanced-types ch19-05-advanced-functions-and-closures "
    "ch19-06-macros ch20-01-single-threaded ch20-02-multithreaded ch20-03-graceful-shutdown-and-cleanup "
    "ch02-00-guessing-game-tutorial"
)
_ANT = (
    "install running properties targets dirtasks proxy listeners inputhandler sysclasspath using "
    "javacprops clonevm ifunless argumentprocessor Tasks/ant Tasks/antcall Tasks/apply Tasks/available "
    "Tasks/basename Tasks/buildnumber Tasks/checksum Tasks/chmod Tasks/concat Tasks/condition "
    "Tasks/conditions Tasks/copy Tasks/defaultexcludes Tasks/delete Tasks/dependset Tasks/echo Tasks/exec "
    "Tasks/fail Tasks/filter Tasks/fixcrlf Tasks/get Tasks/gzip Tasks/import Tasks/input Tasks/jar "
    "Tasks/java Tasks/javac Tasks/junit Tasks/loadfile Tasks/local Tasks/macrodef Tasks/mail "
    "Tasks/manifest Tasks/mkdir Tasks/move Tasks/nice Tasks/parallel Tasks/patch Tasks/pathconvert "
    "Tasks/property Tasks/propertyfile Tasks/replace Tasks/replaceregexp Tasks/retry Tasks/scp "
    "Tasks/setproxy Tasks/signjar Tasks/sleep Tasks/sql Tasks/sync Tasks/tar Tasks/tempfile Tasks/touch "
    "Tasks/tstamp Tasks/unzip Tasks/uptodate Tasks/waitfor Tasks/xmlproperty Tasks/zip Types/fileset "
    "Types/filterset Types/mapper Types/patternset Types/selectors Types/zipfileset"
)
_RESTIC = (
    "010_introduction 020_installation 030_preparing_a_new_repo 040_backup 045_working_with_repos "
    "047_tuning_backup_parameters 050_restore 060_forget 070_encryption 075_scripting 080_examples "
    "090_participating 110_talks REST_backend cache design developer_information faq index manual_rest"
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
_VARNISH = (
    "installation/bugs installation/install_source installation/platformnotes reference/directors "
    "reference/states reference/varnish-cli reference/varnishadm reference/varnishd reference/varnishhist "
    "reference/varnishlog reference/varnishncsa reference/varnishstat reference/varnishtop reference/vcl "
    "reference/vcl-backend reference/vcl-probe reference/vcl-var reference/vmod_cookie "
    "reference/vmod_directors reference/vmod_purge reference/vmod_std reference/vsl-query "
    "tutorial/backend_servers tutorial/introduction tutorial/peculiarities "
    "tutorial/putting_varnish_on_port_80 tutorial/starting_varnish users-guide/command-line "
    "users-guide/compression users-guide/devicedetection users-guide/esi "
    "users-guide/increasing-your-hitrate users-guide/intro users-guide/operation-logging "
    "users-guide/operation-statistics users-guide/params users-guide/performance users-guide/purging "
    "users-guide/run_cli users-guide/run_security users-guide/running users-guide/sizing-your-cache "
    "users-guide/storage-backends users-guide/troubleshooting users-guide/vcl users-guide/vcl-actions "
    "users-guide/vcl-backends users-guide/vcl-built-in-code users-guide/vcl-built-in-subs "
    "users-guide/vcl-example-acls users-guide/vcl-example-manipulating-headers "
    "users-guide/vcl-example-websockets users-guide/vcl-grace users-guide/vcl-hashing "
    "users-guide/vcl-inline-c users-guide/vcl-separate users-guide/vcl-syntax users-guide/vcl-variables"
)
_NTPSEC = (
    "NTS-QuickStart access accopt assoc authentic authopt clock clockopt cluster comdex confopt debug "
    "decode discipline discover driver_generic driver_gpsd driver_howto driver_local driver_nmea "
    "driver_pps driver_shm extern filter huffpuff kern kernpps leap leapsmear miscopt monopt msyslog "
    "ntp_keys ntpd ntpdig ntpfrob ntpkeygen ntpleapfetch ntploggps ntpmon ntpq ntpsec ntpsnmpd ntptime "
    "ntptrace ntpviz ntpwait orphan poll pps prefer quick rate refclock rollover select stats warp"
)
_HANDBOOK = (
    "advanced-administration apt network-services sect.apparmor sect.apt-cache sect.apt-file "
    "sect.apt-frontends sect.apt-get sect.asynchronous-task-scheduling-anacron "
    "sect.automated-installation sect.automatic-upgrades sect.backup "
    "sect.coexistence-with-other-packaging-systems sect.common-procedures sect.computer-layers "
    "sect.config-bootloader sect.config-misc sect.config-printing sect.creating-accounts "
    "sect.customizing-graphical-interface sect.dealing-with-compromised-machine sect.debian-internals "
    "sect.dhcp sect.dist-upgrade sect.domain-name-servers sect.dynamic-routing sect.filesystem-hierarchy "
    "sect.firewall-packet-filtering sect.foundation-documents sect.ftp-file-server "
    "sect.hostname-name-service sect.hotplug sect.how-to-migrate sect.http-ftp-proxy sect.http-web-server "
    "sect.inetd sect.installation-steps sect.ipv6 sect.kernel-compilation sect.kernel-installation "
    "sect.kernel-role-and-tasks sect.ldap-directory sect.manipulating-packages-with-dpkg sect.monitoring "
    "sect.network-config sect.network-diagnosis-tools sect.nfs-file-server "
    "sect.other-security-considerations sect.package-authentication sect.package-meta-information "
    "sect.power-management sect.quality-of-service sect.quotas sect.regular-upgrades "
    "sect.release-lifecycle sect.remote-login sect.rights-management sect.searching-packages sect.selinux "
    "sect.setup-apt-package-repository sect.shell-environment sect.source-package-structure "
    "sect.supervision sect.syslog sect.task-scheduling-cron-atd sect.user-group-databases sect.user-space "
    "sect.virtual-private-network sect.virtualization sect.web-browsers sect.windows-emulation "
    "sect.windows-file-server-with-samba sect.x509-cert security unix-services"
)
_OPENVSWITCH = (
    "faq/bareudp faq/configuration faq/design faq/general faq/issues faq/openflow faq/qos faq/releases "
    "faq/vlan faq/vxlan howto/dpdk howto/ipsec howto/kvm howto/libvirt howto/qos howto/selinux "
    "howto/sflow howto/ssl howto/tc-offload howto/tunneling howto/userspace-tunneling howto/vlan "
    "howto/vtep intro/install/afxdp intro/install/debian intro/install/dpdk intro/install/general "
    "intro/install/userspace intro/install/windows intro/why-ovs ref/ovs-actions.7 ref/ovs-appctl.8 "
    "ref/ovs-ctl.8 ref/ovs-pki.8 ref/ovs-tcpdump.8 ref/ovs-test.8 ref/ovsdb-server.7 ref/ovsdb.5 "
    "ref/ovsdb.7 topics/bonding topics/datapath topics/design topics/dpdk/bridge topics/dpdk/jumbo-frames "
    "topics/dpdk/memory topics/dpdk/phy topics/dpdk/pmd topics/dpdk/qos topics/dpdk/vdev "
    "topics/dpdk/vhost-user topics/integration topics/networking-namespaces topics/ovsdb-relay "
    "topics/ovsdb-replication topics/record-replay topics/tracing topics/userspace-tso "
    "topics/userspace-tx-steering"
)


FIT_SETS = (
    ManualSet(
        "ant",
        "ant-doc",
        "1.10.13-1",
        "usr/share/doc/ant/manual",
        named(_ANT, ".html"),
        "HTML written by hand, with tables of attributes",
        fits=True,
    ),
    ManualSet(
        "rustbook",
        "rust-doc",
        "1.63.0+dfsg1-2",
        "usr/share/doc/rust-doc/html/book",
        named(_RUSTBOOK, ".html"),
        "HTML made by mdBook",
        fits=True,
    ),
    ManualSet(
        "graphviz",
        "graphviz-doc",
        "2.42.2-7+deb12u1",
        "usr/share/doc/graphviz/pdf",
        named(_GRAPHVIZ, ".pdf"),
        "PDFs made by TeX and by groff",
        fits=True,
    ),
    ManualSet(
        "docker",
        "docker-doc",
        "20.10.24+dfsg1-1+deb12u1",
        "usr/share/doc/docker-doc",
        named(_DOCKER, ".md"),
        "Markdown sources",
        fits=True,
    ),
    ManualSet(
        "restic",
        "restic",
        "0.14.0-1+b5",
        "usr/share/doc/restic/html",
        named(_RESTIC, ".html"),
        "HTML made by Sphinx",
        fits=True,
    ),
    ManualSet(
        "exim",
        "exim4-doc-html",
        "4.96-1",
        "usr/share/doc/exim4-doc-html/spec_html",
        named(_EXIM, ".html"),
        "HTML made of DocBook",
        fits=True,
    ),
    ManualSet(
        "mutt",
        "mutt",
        "2.2.12-0.1~deb12u2",
        "usr/share/doc/mutt/html",
        named(_MUTT, ".html"),
        "HTML made of DocBook",
        fits=True,
    ),
    ManualSet(
        "apache",
        "apache2-doc",
        "2.4.71-1~deb12u1",
        "usr/share/doc/apache2-doc/manual/en",
        named(_APACHE, ".html"),
        "HTML made of XML",
        fits=True,
    ),
    ManualSet(
        "zsh",
        "zsh-doc",
        "5.9-4",
        "usr/share/doc/zsh-common/html",
        named(_ZSH, ".html"),
        "HTML made of Texinfo",
        fits=True,
    ),
    ManualSet(
        "borg",
        "borgbackup-doc",
        "1.2.4-1",
        "usr/share/doc/borgbackup/html",
        named(_BORG, ".html"),
        "HTML made by Sphinx",
        fits=True,
    ),
    ManualSet(
        "varnish",
        "varnish-doc",
        "7.1.1-2+deb12u1",
        "usr/share/doc/varnish/html",
        named(_VARNISH, ".html"),
        "HTML made by Sphinx",
        fits=True,
    ),
    ManualSet(
        "ntpsec",
        "ntpsec-doc",
        "1.2.2+dfsg1-1+deb12u1",
        "usr/share/doc/ntpsec-doc/html",
        named(_NTPSEC, ".html"),
        "HTML made of AsciiDoc",
        fits=True,
    ),
    ManualSet(
        "handbook",
        "debian-handbook",
        "11.20220922",
        "usr/share/doc/debian-handbook/html/en-US",
        named(_HANDBOOK, ".html"),
        "HTML made of DocBook by Publican",
        fits=True,
    ),
    ManualSet(
        "flex",
        "flex-doc",
        "2.6.4-8.2",
        "usr/share/doc/flex-doc",
        ("flex.pdf",),
        "a PDF made by TeX",
        fits=True,
    ),
    ManualSet(
        "openvswitch",
        "openvswitch-doc",
        "3.1.0-2+deb12u1",
        "usr/share/doc/openvswitch-doc/html/_sources",
        named(_OPENVSWITCH, ".rst.txt"),
        "reStructuredText sources, text files",
        fits=True,
    ),
)
