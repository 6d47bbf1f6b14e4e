from smartqueue.settings import *
ROOT_URLCONF = "smartqueue.scratch_urls"
