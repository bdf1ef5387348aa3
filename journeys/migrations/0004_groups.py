from django.db import migrations

#: What each group may do, by app and model: v(iew), a(dd), c(hange), d(elete), and own permissions.
JOURNEYS = {"journey": "vac", "enrollment": "v", "refusal": "v", "webhookcall": "v", "version": "v"}
PEOPLE = {
    "contact": "v", "event": "v", "segment": "v", "membership": "v", "attributename": "v",
    "eventname": "v", "import": "v",
}
MAIL = {"template": "v", "message": "v", "topic": "v", "suppression": "v", "subscription": "v", "installation": "v"}
SEES = {
    "journeys": dict.fromkeys(JOURNEYS, "v"),
    "contacts": PEOPLE,
    "messaging": MAIL,
}
GROUPS = {
    "Analyst": SEES,
    "Marketer": {
        "journeys": {**JOURNEYS, "journey": "vacd publish enter"},
        "contacts": {**PEOPLE, "contact": "vac", "segment": "vacd", "membership": "vacd", "import": "vac"},
        "messaging": {**MAIL, "template": "vacd send_test", "topic": "vac", "subscription": "vc"},
    },
    "Operator": {
        "journeys": {**dict.fromkeys(JOURNEYS, "v"), "journey": "v publish"},
        "contacts": {**PEOPLE, "fact": "vcd", "apikey": "v"},
        "messaging": {**MAIL, "message": "vc settle", "suppression": "vacd", "installation": "v"},
    },
    "Owner": {
        "journeys": {**JOURNEYS, "journey": "vacd publish enter"},
        "contacts": {
            **PEOPLE, "contact": "vacd export erase", "segment": "vacd", "membership": "vacd",
            "import": "vacd", "fact": "vcd", "apikey": "vacd", "privacyrecord": "v",
        },
        "messaging": {
            **MAIL, "template": "vacd send_test", "message": "vc settle", "topic": "vacd",
            "suppression": "vacd", "subscription": "vacd", "installation": "vac",
        },
        "auth": {"user": "vacd", "group": "vacd"},
    },
}
VERBS = {"v": "view", "a": "add", "c": "change", "d": "delete"}
OWN = {
    "publish": "Can publish, pause, resume and archive journeys",
    "enter": "Can enter contacts by hand",
    "settle": "Can settle uncertain messages and send again",
    "send_test": "Can send test mails to oneself",
    "export": "Can export contacts",
    "erase": "Can erase contacts",
}


def make_groups(apps, schema_editor):
    """Make the four groups; permissions are made here where Django has not made them yet."""
    Group = apps.get_model("auth", "Group")
    for name, rooms in GROUPS.items():
        group, _ = Group.objects.get_or_create(name=name)
        group.permissions.add(*permissions(apps, rooms))


def permissions(apps, rooms):
    """The permissions that the letters and words stand for."""
    ContentType = apps.get_model("contenttypes", "ContentType")
    Permission = apps.get_model("auth", "Permission")
    for app, models in rooms.items():
        for model, allowed in models.items():
            kind, _ = ContentType.objects.get_or_create(app_label=app, model=model)
            letters, *words = allowed.split()
            verbose = verbose_name(apps, app, model)
            wanted = {f"{VERBS[one]}_{model}": f"Can {VERBS[one]} {verbose}" for one in letters}
            wanted |= {f"{word}_{model}": OWN[word] for word in words}
            for codename, name in wanted.items():
                yield Permission.objects.get_or_create(
                    content_type=kind, codename=codename, defaults={"name": name}
                )[0]


def verbose_name(apps, app, model):
    """A model's name for people, as Django's own permissions say it."""
    try:
        return str(apps.get_model(app, model)._meta.verbose_name)
    except LookupError:
        return model


class Migration(migrations.Migration):

    dependencies = [
        ("journeys", "0003_publishing"),
        ("contacts", "0002_alter_merge_external_id_import_importchunk_and_more"),
        ("messaging", "0003_permissions"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(make_groups, migrations.RunPython.noop)]
