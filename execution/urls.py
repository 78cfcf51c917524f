from django.urls import path

from bots.converters import VERSION
from execution import (
    account_fit_views,
    backtest_views,
    decision_views,
    history_views,
    live_views,
    record_views,
    views,
)

app_name = "execution"

urlpatterns = [
    path("dashboard/", views.dashboard, name="dashboard"),
    path("dashboard/live/", views.dashboard_live, name="dashboard_live"),
    path("limits/", views.limits, name="limits"),
    path("limits/state/", views.set_state, name="set_state"),
    path("limits/envelope/", views.set_envelope, name="set_envelope"),
    path("staff/trading/", views.platform, name="platform"),
    path("subscriptions/<int:pk>/", views.subscription, name="subscription"),
    path("subscriptions/<int:pk>/live/", views.live, name="live"),
    path("subscriptions/<int:pk>/real-money/", live_views.go_live, name="go_live"),
    path("subscriptions/<int:pk>/chart.json", views.chart, name="chart"),
    path("subscriptions/<int:pk>/run/", views.run, name="run"),
    path("subscriptions/<int:pk>/close/", views.close, name="close"),
    path("bots/<slug:slug>/backtest/", backtest_views.new, name="new_backtest"),
    path("bots/<slug:slug>/records/", record_views.records, name="bot_records"),
    path("statistics/", record_views.statistics, name="statistics"),
    path("bots/<slug:slug>/with-my-account/", account_fit_views.with_my_account, name="with_my_account"),
    path("backtests/", backtest_views.index, name="backtests"),
    path("backtests/compare/", backtest_views.compare, name="compare_backtests"),
    path("backtests/<uuid:pk>/", backtest_views.backtest, name="backtest"),
    path("backtests/<uuid:pk>/live/", backtest_views.live, name="backtest_live"),
    path("backtests/<uuid:pk>/chart.json", backtest_views.chart, name="backtest_chart"),
    path("backtests/<uuid:pk>/trades.csv", backtest_views.trades, name="backtest_trades"),
    path("backtests/<uuid:pk>/cancel/", backtest_views.cancel, name="cancel_backtest"),
    path("backtests/<uuid:pk>/subscribe/", backtest_views.subscribe, name="subscribe_like_backtest"),
    path("backtests/<uuid:pk>/share/", backtest_views.share, name="share_backtest"),
    path("exchange-accounts/<int:pk>/reconciliation/", views.reconciliation, name="reconciliation"),
    path("exchange-accounts/<int:pk>/reconciliations/", views.reconciliations, name="reconciliations"),
    path("subscriptions/<int:pk>/skips/", views.skips, name="skips"),
    path("subscriptions/<int:pk>/logs/", history_views.logs, name="logs"),
    path("subscriptions/<int:pk>/trades/", history_views.trades, name="trades"),
    path("subscriptions/<int:pk>/cycles.csv", history_views.file, {"what": "cycles"}, "cycles_file"),
    path("subscriptions/<int:pk>/orders.csv", history_views.file, {"what": "orders"}, "orders_file"),
    path("subscriptions/<int:pk>/trades.csv", history_views.file, {"what": "trades"}, "trades_file"),
    path("subscriptions/<int:pk>/lift-halt/", views.lift_halt, name="lift_halt"),
    path("subscriptions/<int:pk>/cycles/<int:cycle_pk>/", decision_views.cycle, name="cycle"),
    path("subscriptions/<int:pk>/cycles/<int:cycle_pk>/replay/", decision_views.replay, name="replay"),
    path("subscriptions/<int:pk>/cycles/<int:cycle_pk>/receipt.json", decision_views.receipt, name="receipt"),
    path(
        f"subscriptions/<int:pk>/version/{VERSION}decisions/",
        decision_views.comparison,
        name="comparison",
    ),
]
