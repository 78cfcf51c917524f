from django.apps import AppConfig
from django.contrib.admin import apps as admin


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = "People"
    default = True


class StaffSiteConfig(admin.AdminConfig):
    default = False
    default_site = "accounts.admin_site.StaffSite"
