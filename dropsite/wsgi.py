"""The WSGI application of the groups web and hooks."""

import os

from django.core.wsgi import get_wsgi_application

from dropsite.middleware.well_formed import plain_content_types
from dropsite.warmup import warm

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dropsite.settings")

application = plain_content_types(get_wsgi_application())
warm()
