from django.urls import path

from bots import developer_views as views
from bots.converters import VERSION_OF_BOT

BOT = "bots/<slug:slug>/"
VERSION = f"bots/{VERSION_OF_BOT}"

urlpatterns = [
    path("", views.home, name="developer_home"),
    path("guide/", views.guide_page, name="guide"),
    path("guide/<slug:name>/", views.guide_page, name="guide_page"),
    path("preview/", views.preview, name="preview"),
    path("new/", views.new_bot, name="new_bot"),
    path(BOT, views.own_bot, name="own_bot"),
    path(f"{BOT}edit/", views.edit_bot, name="edit_bot"),
    path(f"{BOT}retire/", views.retire_bot, name="retire_bot"),
    path(f"{BOT}delete/", views.delete_bot, name="delete_bot"),
    path(f"{BOT}new/", views.new_version, name="new_version"),
    path(VERSION, views.version, name="version"),
    path(f"{VERSION}gate/", views.gate, name="gate"),
    path(f"{VERSION}code/", views.code, name="code"),
    path(f"{VERSION}package.zip", views.download, name="download"),
    path(f"{VERSION}since/<version:other>/", views.diff, name="diff"),
    path(f"{VERSION}code/write/", views.put_code, name="put_code"),
    path(f"{VERSION}code/upload/", views.put_code_file, name="put_code_file"),
    path(f"{VERSION}models/upload/", views.put_model, name="put_model"),
    path(f"{VERSION}package/upload/", views.put_package, name="put_package"),
    path(f"{VERSION}files/<int:pk>/", views.file, name="file"),
    path(f"{VERSION}files/<int:pk>/remove/", views.remove_file, name="remove_file"),
    path(f"{VERSION}notes/", views.write_notes, name="write_notes"),
    path(f"{VERSION}submit/", views.submit, name="submit"),
    path(f"{VERSION}discard/", views.discard, name="discard"),
    path(f"{VERSION}withdraw/", views.withdraw, name="withdraw"),
    path(f"{VERSION}retire/", views.retire, name="retire"),
    path(f"{VERSION}offer/", views.offer_again, name="offer_again"),
    path(f"{VERSION}roll-back/", views.roll_back, name="roll_back"),
]
