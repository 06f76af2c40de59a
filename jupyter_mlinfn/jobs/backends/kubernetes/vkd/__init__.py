"""INFN's ``vkd`` as the way to Kubernetes: its REST service makes the Jobs, beside the session.

Its server is not public. What is asked and read here is what its public client asks and reads:
GitHub, landerlini/vkd-client, ``vkd_client/templates/*.yaml``, ``BaseProcessor.py``,
``queue_tools.py``, ``__main__.py``, ``submit.yaml`` and ``test.yaml`` (commit 35e1a62, 2024-10).
"""
