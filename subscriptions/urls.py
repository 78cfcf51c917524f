from django.urls import path

from bots.converters import VERSION_OF_BOT
from subscriptions import review_views, subscribe_views, views

app_name = "subscriptions"

urlpatterns = [
    path("bots/<slug:slug>/subscribe/", subscribe_views.subscribe, name="subscribe"),
    path("bots/<slug:slug>/subscribe/loss/", subscribe_views.risk_summary, name="risk_summary"),
    path("bots/<slug:slug>/subscribe/<slug:step>/", subscribe_views.subscribe, name="subscribe_step"),
    path(f"developers/bots/{VERSION_OF_BOT}form/", views.form_of_version, name="form_of_version"),
    path("bots/<slug:slug>/reviews/", review_views.reviews, name="reviews"),
    path("bots/<slug:slug>/review/", review_views.write, name="review"),
    path("bots/<slug:slug>/review/delete/", review_views.delete, name="delete_review"),
    path("bots/<slug:slug>/reviews/<int:pk>/answer/", review_views.answer, name="answer_review"),
    path("bots/<slug:slug>/reviews/<int:pk>/report/", review_views.report, name="report_review"),
    path("staff/reviews/", review_views.reported, name="reported_reviews"),
    path("staff/reviews/<int:pk>/", review_views.judge, name="judge_review"),
    path("subscriptions/pairs/", subscribe_views.pairs, name="pairs"),
    path("subscriptions/<int:pk>/clone/", subscribe_views.clone, name="clone"),
    path("subscriptions/<int:pk>/version/", views.move, name="move"),
    path("subscriptions/<int:pk>/settings/", views.change, name="change"),
    path("subscriptions/<int:pk>/pause/", views.pause, name="pause"),
    path("subscriptions/<int:pk>/resume/", views.resume, name="resume"),
    path("subscriptions/<int:pk>/stop/", views.stop, name="stop"),
]
