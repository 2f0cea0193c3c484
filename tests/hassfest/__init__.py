"""What hassfest and HACS hold an integration to, so that a push meets no surprise there.

Their rules are told again here, in the words of this project: neither is in the packages that Home
Assistant publishes. What core itself keeps (categories, connectivity, rules of the quality scale,
keys of a manifest, icons) is asked of the installed Home Assistant, and so stays as new as that.
"""
