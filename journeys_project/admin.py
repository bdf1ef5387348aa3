"""The people who work here, and their sign-ins, in the admin's own look."""

from axes.admin import AccessAttemptAdmin, AccessLogAdmin
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

admin.site.index_title = "Overview"
admin.site.index_template = "journeys/home.html"

for model in (User, Group, AccessAttempt, AccessFailureLog, AccessLog):
    if admin.site.is_registered(model):
        admin.site.unregister(model)


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):
    """People who may sign in."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):
    """What people may do, by group."""


@admin.register(AccessAttempt)
class SignInFailureAdmin(AccessAttemptAdmin, ModelAdmin):
    """Failed sign-ins; deleting a row lets somebody in again at once."""

    actions = ()  # Axes' own needs a request that has just failed to sign in


@admin.register(AccessLog)
class SignInAdmin(AccessLogAdmin, ModelAdmin):
    """Who signed in, when and from where."""
