"""Every address of the API. Whoever owns the data owns the endpoint, so several apps share a prefix."""

from django.urls import path

from accounts import api as accounts
from bots import api as bots
from exchanges import api as exchanges
from execution import api as execution
from marketplace.api.schema import Schema
from subscriptions import api as subscriptions
from subscriptions import review_api as reviews

app_name = "api"

VERSION = "bots/<int:pk>/versions/<version:number>"

urlpatterns = [
    path("token/", accounts.SignIn.as_view(), name="token"),
    path("token/refresh/", accounts.Refresh.as_view(), name="refresh"),
    path("token/revoke/", accounts.Revoke.as_view(), name="revoke"),
    path("bots/", bots.Bots.as_view(), name="bots"),
    path("bots/<int:pk>/", bots.OneBot.as_view(), name="bot"),
    path("bots/<int:pk>/retire", bots.RetireBot.as_view(), name="retire_bot"),
    path("bots/<int:pk>/upload-code", bots.UploadCode.as_view(), name="upload_code"),
    path("bots/<int:pk>/upload-model", bots.UploadModel.as_view(), name="upload_model"),
    path("bots/<int:pk>/upload-package", bots.UploadPackage.as_view(), name="upload_package"),
    path("bots/<int:pk>/download", bots.Download.as_view(), name="download"),
    path("bots/<int:pk>/reviews/", reviews.Reviews.as_view(), name="reviews"),
    path("bots/<int:pk>/reviews/<int:review_pk>/", reviews.OwnReview.as_view(), name="review"),
    path("bots/<int:pk>/versions", bots.Versions.as_view(), name="versions"),
    path(VERSION, bots.OneVersion.as_view(), name="version"),
    path(f"{VERSION}/files/<str:kind>/<str:filename>", bots.OneFile.as_view(), name="file"),
    path(f"{VERSION}/submit", bots.Submit.as_view(), name="submit"),
    path(f"{VERSION}/withdraw", bots.Withdraw.as_view(), name="withdraw"),
    path(f"{VERSION}/retire", bots.Retire.as_view(), name="retire_version"),
    path(f"{VERSION}/offer", bots.Offer.as_view(), name="offer"),
    path(f"{VERSION}/roll-back", bots.RollBack.as_view(), name="roll_back"),
    path("exchanges/supported", exchanges.Supported.as_view(), name="exchanges"),
    path(
        "exchanges/validate-credentials",
        exchanges.ValidateCredentials.as_view(),
        name="validate_credentials",
    ),
    path("exchanges/accounts/<int:pk>", exchanges.OneAccount.as_view(), name="account"),
    path("exchanges/account-info/<str:exchange>", exchanges.AccountInfo.as_view(), name="account_info"),
    path("exchanges/balance/<str:exchange>", exchanges.AccountBalance.as_view(), name="balance"),
    path("subscriptions/", subscriptions.Subscriptions.as_view(), name="subscriptions"),
    path("subscriptions/<int:pk>/", subscriptions.OneSubscription.as_view(), name="subscription"),
    path("subscriptions/<int:pk>/pause", subscriptions.Pause.as_view(), name="pause"),
    path("subscriptions/<int:pk>/resume", subscriptions.Resume.as_view(), name="resume"),
    path("subscriptions/<int:pk>/stop", subscriptions.Stop.as_view(), name="stop"),
    path("subscriptions/<int:pk>/go-live", subscriptions.GoLive.as_view(), name="go_live"),
    path("subscriptions/<int:pk>/settings", subscriptions.Settings.as_view(), name="settings"),
    path("subscriptions/<int:pk>/version", subscriptions.Version.as_view(), name="version_of_subscription"),
    path("subscriptions/<int:pk>/sell-and-stop", execution.SellAndStop.as_view(), name="sell_and_stop"),
    path("subscriptions/<int:pk>/performance", execution.Performance.as_view(), name="performance"),
    path("subscriptions/<int:pk>/capital", execution.Capital.as_view(), name="capital"),
    path("subscriptions/<int:pk>/trades", execution.Trades.as_view(), name="trades"),
    path("subscriptions/<int:pk>/<str:what>.csv", execution.Export.as_view(), name="export"),
    path("subscriptions/<int:pk>/execute", execution.Execute.as_view(), name="execute"),
    path("schema/", Schema.as_view(), name="schema"),
]
