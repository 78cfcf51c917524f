"""Every address of the product, and what each role is answered there: the role matrix (see docs/roles.md).

A row is a route: its name, the thing of `cast.Cast` that its address is about (`-`: none), what each role is
answered to GET, what to the methods that change something, and those methods (POST unless it says so). A
route may have more rows, for things of other kinds or for methods that are answered differently.

    2  let in: it is answered, or led on, or told that what it sent is not right
    L  led to the sign-in page; 401 at the API
    P  asked for the password, or for the second factor, once more
    3  forbidden     4  not there     5  no such method

The roles are the columns, in the order of `ROLES`; read them downwards. Every other method is answered
by L, P, 3, 4 or 5, or as GET is.
"""

from dataclasses import dataclass

SITE = """
#                                                      ATTDDMFOST ATTDDMFOST
#                                                      NABABOIPUK NABABOIPUK
# what anyone may see
bots:catalogue                       -                 2222222222 5555555555
bots:compare                         -                 2222222222 5555555555
bots:runtime                         -                 2222222222 5555555555
bots:bot                             bot               2222222222 5555555555
bots:bot                             hidden-bot        4442424424 5555555555
bots:developer                       developer         2222222222 5555555555
bots:guide                           -                 2222222222 5555555555
bots:guide_page                      guide             2222222222 5555555555
execution:bot_records                bot               2222222222 5555555555
execution:bot_records                hidden-bot        4442424424 5555555555
execution:statistics                 -                 2222222222 5555555555
manifest                             -                 2222222222 5555555555
service_worker                       -                 2222222222 5555555555
offline                              -                 2222222222 5555555555
favicon                              -                 2222222222 5555555555
healthz                              -                 2222222222 5555555555

# what subscribers say of a bot; moderators judge what is reported
subscriptions:reviews                bot               2222222222 5555555555
subscriptions:reviews                hidden-bot        4442424424 5555555555
subscriptions:review                 bot               L23333333L L23333333L
subscriptions:delete_review          bot               L55555555L L24444444L
subscriptions:answer_review          review            L44244444L L44244444L
subscriptions:report_review          review            L22222222L L22222222L
subscriptions:reported_reviews       -                 L44442442L L55555555L
subscriptions:judge_review           judged-review     L44442442L L44442442L

# a developer's own bots; staff read versions in the admin, where that is audited
bots:developer_home                  -                 L22222222L L55555555L
bots:preview                         -                 L55555555L L22222222L
bots:new_bot                         -                 L22222222L L22222222L
bots:own_bot                         bot               L44244444L L55555555L
bots:edit_bot                        bot               L44244444L L44244444L
bots:retire_bot                      bot               L55555555L L44244444L
bots:delete_bot                      hidden-bot        L55555555L L44244444L
bots:new_version                     bot               L44244444L L44244444L
bots:version                         draft             L44244444L L55555555L
bots:gate                            draft             L44244444L L55555555L
bots:code                            draft             L44244444L L55555555L
bots:download                        draft             L44244444L L55555555L
bots:diff                            difference        L44244444L L55555555L
bots:put_code                        draft             L55555555L L44244444L
bots:put_code_file                   draft             L55555555L L44244444L
bots:put_model                       draft             L55555555L L44244444L
bots:put_package                     draft             L55555555L L44244444L
bots:file                            file              L44244444L L55555555L
bots:stored_file                     link-to-a-file    L44244444L 5555555555
bots:remove_file                     file              L55555555L L44244444L
bots:write_notes                     draft             L55555555L L44244444L
bots:submit                          draft             L55555555L L44244444L
bots:discard                         draft             L55555555L L44244444L
bots:withdraw                        draft             L55555555L L44244444L
bots:retire                          published         L55555555L L44244444L
bots:offer_again                     published         L55555555L L44244444L
bots:roll_back                       published         L55555555L L44244444L
subscriptions:form_of_version        draft             L44244444L L55555555L

# a trader's own things; staff do not trade
subscriptions:subscribe              bot               L22223333L L22223333L
subscriptions:subscribe              hidden-bot        L44444444L L44444444L
subscriptions:subscribe_step         step              L22223333L L22223333L
subscriptions:risk_summary           bot               L22223333L L55555555L
execution:with_my_account            bot               L22223333L L55555555L
subscriptions:pairs                  -                 L22222222L L55555555L
subscriptions:move                   subscription      L24444444L L24444444L
subscriptions:change                 subscription      L24444444L L24444444L
subscriptions:pause                  subscription      L55555555L L24444444L
subscriptions:clone                  subscription      L55555555L L24444444L
subscriptions:resume                 subscription      L55555555L L24444444L
subscriptions:stop                   subscription      L55555555L L24444444L
execution:dashboard                  -                 L22222222L L55555555L
execution:dashboard_live             -                 L22222222L L55555555L
execution:limits                     -                 L22222222L L55555555L
execution:set_state                  -                 L55555555L L22222222L
execution:set_envelope               -                 L55555555L L22222222L
execution:subscription               subscription      L24444444L L55555555L
execution:live                       subscription      L24444444L L55555555L
execution:chart                      subscription      L24444444L L55555555L
execution:cycle                      cycle             L24444444L L55555555L
execution:replay                     cycle             L24444444L L24444444L
execution:receipt                    cycle             L24444444L L55555555L
execution:comparison                 comparison        L24444444L L24444444L
execution:go_live                    subscription      L24444444L LPPPPPPPPL
execution:capital                    subscription      L24444444L L24444444L
execution:skips                      subscription      L24444444L L55555555L
execution:logs                       subscription      L24444444L L55555555L
execution:trades                     subscription      L24444444L L55555555L
execution:cycles_file                subscription      L24444442L L55555555L
execution:orders_file                subscription      L24444442L L55555555L
execution:capital_file               subscription      L24444442L L55555555L
execution:trades_file                subscription      L24444442L L55555555L
execution:run                        subscription      L55555555L L24444444L
execution:close                      subscription      L55555555L L24444444L
execution:lift_halt                  subscription      L55555555L L24444444L
execution:reconciliation             account           L24444444L L55555555L
execution:reconciliations            account           L24444444L L55555555L
exchanges:accounts                   -                 L22222222L L55555555L
exchanges:add                        -                 L22222222L L22222222L
exchanges:key_fields                 -                 L22222222L L55555555L
exchanges:account                    account           L24444444L L55555555L
exchanges:state                      account           L24444444L L55555555L
exchanges:check                      account           L55555555L LP4444444L
exchanges:replace_keys               account           LP4444444L LP4444444L
exchanges:relabel                    account           L55555555L L24444444L
exchanges:delete                     account           L55555555L LP4444444L

# backtests are their owner's, unless shared by a link
execution:new_backtest               bot               L22222222L L22222222L
execution:new_backtest               hidden-bot        L44444444L L44444444L
execution:backtests                  -                 L22222222L L55555555L
execution:compare_backtests          -                 L44444444L 5555555555
execution:backtest                   backtest          L24444444L 5555555555
execution:backtest                   shared-backtest   2222222222 5555555555
execution:backtest_live              backtest          L24444444L 5555555555
execution:backtest_live              shared-backtest   2222222222 5555555555
execution:backtest_chart             backtest          L24444444L 5555555555
execution:backtest_chart             shared-backtest   2222222222 5555555555
execution:backtest_trades            backtest          L24444444L 5555555555
execution:backtest_trades            shared-backtest   2222222222 5555555555
execution:subscribe_like_backtest    backtest          L55555555L L24444444L
execution:subscribe_like_backtest    shared-backtest   L55555555L L22223333L
execution:cancel_backtest            backtest          L55555555L L24444444L
execution:cancel_backtest            shared-backtest   L55555555L L24444444L
execution:share_backtest             backtest          L55555555L L24444444L
execution:share_backtest             shared-backtest   L55555555L L24444444L

# staff's own pages
execution:platform                   -                 L44444422L L44444422L
exchanges:requests                   -                 L44442222L L55555555L

# how a person is told
accounts:notifications               -                 L22222222L L55555555L
accounts:set_events                  -                 L55555555L L22222222L
accounts:set_times                   -                 L55555555L L22222222L
accounts:add_channel                 kind-of-channel   LPPPPPPPPL LPPPPPPPPL
accounts:channel                     channel           L24444444L L55555555L
accounts:try_out                     channel           L55555555L L24444444L
accounts:remove_channel              channel           L55555555L L24444444L

# sign-in, password, address and second factor
account_login                        -                 2222222222 2222222222
account_logout                       -                 2222222222 2222222222
account_inactive                     -                 2222222222 5555555555
account_signup                       -                 2222222222 2222222222
account_reauthenticate               -                 L22222222L L22222222L
account_email                        -                 L22222222L L22222222L
account_email_verification_sent      -                 2222222222 5555555555
account_confirm_email                address-key       2222222222 4444444444
account_change_password              -                 L22222222L L22222222L
account_set_password                 -                 L22222222L L22222222L
account_reset_password               -                 2222222222 2222222222
account_reset_password_done          -                 2222222222 5555555555
account_reset_password_from_key      password-key      2222222222 2222222222
account_reset_password_from_key_done -                 2222222222 5555555555
account_confirm_login_code           -                 L22222222L L22222222L
mfa_index                            -                 L22222222L L55555555L
mfa_authenticate                     -                 L22222222L L22222222L
mfa_reauthenticate                   -                 LPPPP2222L LPPPP2222L
mfa_activate_totp                    -                 LPPPPPPPPL LPPPPPPPPL
mfa_deactivate_totp                  -                 L4444PPPPL L4444PPPPL
mfa_view_recovery_codes              -                 L44444444L L55555555L
mfa_generate_recovery_codes          -                 LPPPPPPPPL LPPPPPPPPL
mfa_download_recovery_codes          -                 L44444444L L44444444L

# the API: tokens open it, sessions do not
api:token                            -                 5555555555 2222222222
api:refresh                          -                 5555555555 2222222222
api:revoke                           -                 5555555555 2222222222
api:bots                             -                 2222222222 L222233333
api:bot                              api-bot           2222222222 L442433333 PATCH
api:bot                              api-bot           2222222222 L442444443 DELETE
api:bot                              api-hidden-bot    4442444444 L442433333 PATCH
api:bot                              api-hidden-bot    4442444444 L442444443 DELETE
api:retire_bot                       api-bot           L555555555 L442444443
api:upload_code                      api-bot           L555555555 L442433333
api:upload_model                     api-bot           L555555555 L442433333
api:upload_package                   api-bot           L555555555 L442433333
api:file                             api-file          L555555555 L442444443 DELETE
api:download                         api-bot           L442444444 L555555553
api:versions                         api-bot           2222222222 L555555553
api:versions                         api-hidden-bot    4442444444 L555555553
api:version                          api-published     2222222222 L442433333 PATCH
api:version                          api-published     2222222222 L442444443 DELETE
api:version                          api-draft         4442444444 L442433333 PATCH
api:version                          api-draft         4442444444 L442444443 DELETE
api:submit                           api-draft         L555555555 L442433333
api:withdraw                         api-draft         L555555555 L442444443
api:retire_version                   api-published     L555555555 L442444443
api:offer                            api-published     L555555555 L442433333
api:roll_back                        api-published     L555555555 L442433333
api:reviews                          api-bot           2222222222 L233333333
api:review                           api-review        L555555555 L244444443 PATCH DELETE
api:exchanges                        -                 2222222222 5555555555
api:validate_credentials             -                 L555555555 L222222223
api:account                          account           L555555555 L244444443 DELETE
api:account_info                     exchange          L222222223 L555555553
api:balance                          exchange          L222222222 L555555553
api:subscriptions                    -                 L222222222 L222222223
api:subscription                     subscription      L244444442 L555555553
api:pause                            subscription      L555555555 L244444443
api:resume                           subscription      L555555555 L244444443
api:stop                             subscription      L555555555 L244444443
api:go_live                          subscription      L244444443 L244444443
api:settings                         subscription      L555555555 L244444443
api:version_of_subscription          subscription      L555555555 L244444443
api:sell_and_stop                    subscription      L555555555 L244444443
api:performance                      subscription      L244444442 L555555553
api:capital                          subscription      L244444442 L244444443
api:trades                           subscription      L244444442 L555555553
api:export                           export            L244444442 L555555553
api:execute                          subscription      L555555555 L244444443
api:schema                           -                 4444444424 5555555555

# the admin apart from its models, which are below
admin:index                          -                 LLLLL2222L LLLLL2222L
admin:login                          -                 L33332222L L33332222L
admin:logout                         -                 2222255552 2222222222
admin:password_change                -                 LLLLL2222L LLLLL2222L
admin:password_change_done           -                 LLLLL2222L LLLLL5555L
admin:autocomplete                   -                 LLLLL3333L LLLLL5555L
admin:jsi18n                         -                 LLLLL2222L LLLLL5555L
admin:view_on_site                   admin-bot         LLLLL2222L LLLLL2222L
admin:app_list                       admin-app         LLLLL2422L LLLLL2422L
admin:auth_user_password_change       admin-person      LLLLL3332L LLLLL3332L
admin:bots_versiontoreview_package   submitted         LLLLL2332L LLLLL2332L
"""

# What staff may do with each model in the admin: (v)iew, (a)dd, (c)hange, (d)elete; - is nothing at all.
ADMIN = """
#                                     MO   FI   OP   SU
account.emailaddress                  -    -    -    vacd
accounts.answeredrequest              -    -    -    v
accounts.auditentry                   v    v    -    v
accounts.notification                 -    -    -    v
accounts.notificationchannel          -    -    -    v
accounts.notificationdelivery         -    -    -    v
accounts.notificationtimes            -    -    -    v
accounts.tokenfamily                  -    -    -    vd
accounts.user                         v    v    -    vacd
auth.group                            -    -    -    vacd
bots.artifact                         v    -    -    v
bots.bot                              vc   -    v    vacd
bots.botversion                       vc   -    v    vcd
bots.category                         vac  -    -    vacd
bots.developerban                     v    -    -    v
bots.gaterun                          v    -    -    v
bots.gatestep                         v    -    -    v
bots.review                           v    -    -    v
bots.versiontoreview                  v    -    -    v
django_celery_beat.clockedschedule    -    -    -    vacd
django_celery_beat.crontabschedule    -    -    v    vacd
django_celery_beat.intervalschedule   -    -    v    vacd
django_celery_beat.periodictask       -    -    vc   vacd
django_celery_beat.solarschedule      -    -    -    vacd
exchanges.candle                      -    -    v    v
exchanges.exchangeaccount             -    -    v    v
exchanges.market                      -    -    vc   vc
execution.backtest                    -    -    v    v
execution.botrecord                   -    -    v    v
execution.codeshape                   -    -    -    v
execution.comparison                  -    -    v    v
execution.cycle                       -    -    v    v
execution.fill                        -    -    v    v
execution.order                       -    -    v    v
execution.position                    -    -    v    v
execution.reconciliation              -    -    v    v
execution.replay                      -    -    v    v
execution.strike                      v    -    v    v
execution.subscriptionperformance     -    -    v    v
mfa.authenticator                     -    -    -    vd
subscriptions.capitalchange           -    -    v    v
subscriptions.envelope                -    -    v    v
subscriptions.reviewreport            v    -    -    v
subscriptions.subscriberreview        v    -    -    v
subscriptions.subscription            vc   -    vc   vc
subscriptions.subscriptionchange      -    -    v    v
subscriptions.subscriptiondraft       -    -    -    v
subscriptions.tradingswitch           -    -    v    v
"""


# what is sent where an empty body would be refused before it is asked whose the thing is
BODIES = {
    "api:reviews": {"stars": 4, "text": "It does what it says."},
    "api:settings": {"revision": 0, "risk_config": {"stop_loss_percent": 4}},
    "api:capital": {"revision": 0, "allocated_capital": "9000"},
    "api:version_of_subscription": {"to_version": "v1.3.0", "revision": 0},
}

ROLES = {
    "AN": "anonymous",
    "TA": "bob, whose subscription, accounts and backtests are asked for",
    "TB": "charlie, a trader with things of his own",
    "DA": "alice, whose bots are asked for",
    "DB": "dora, a developer with bots of her own",
    "MO": "moderator",
    "FI": "finance",
    "OP": "operator",
    "SU": "superuser; this one and the three before have given their second factor",
    "TK": "a program with bob's read-only token and no session",
}


@dataclass(frozen=True)
class Row:
    """`reads` and `writes` are the answers by role."""

    name: str
    of: str
    reads: dict[str, str]
    writes: dict[str, str]
    methods: tuple[str, ...]

    def asked(self, role: str) -> list[tuple[str, str]]:
        """Return each method of the row with what the role is answered."""
        return [("GET", self.reads[role]), *((method, self.writes[role]) for method in self.methods)]


def rows() -> list[Row]:
    return [
        Row(name, of, _by_role(reads), _by_role(writes), tuple(methods) or ("POST",))
        for name, of, reads, writes, *methods in _lines(SITE)
    ]


def rights() -> dict[str, dict[str, str]]:
    """Return by model's label what each of staff's roles may do with it."""
    return {label: dict(zip(("MO", "FI", "OP", "SU"), each, strict=True)) for label, *each in _lines(ADMIN)}


def _lines(table: str) -> list[list[str]]:
    return [line.split() for line in table.splitlines() if line and not line.startswith("#")]


def _by_role(letters: str) -> dict[str, str]:
    return dict(zip(ROLES, letters, strict=True))
