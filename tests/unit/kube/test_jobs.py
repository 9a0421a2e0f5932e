"""Why a Job has no pod."""

from fedspoke.kube.jobs import unmade
from support.pods import event, job, pod

QUOTA = 'Error creating: pods "social-x" is forbidden: exceeded quota: few, requested: pods=1, used: pods=5, limited: pods=5'


def test_the_last_refusal_is_told():
    it = job()
    before = event(it, "Error creating: violates PodSecurity", "FailedCreate", "2026-11-21T12:00:05Z")
    last = event(it, QUOTA, "FailedCreate", "2026-11-21T12:00:15Z")
    assert unmade(it, [last, before]) == f"its pod cannot be made: {QUOTA.removeprefix('Error creating: ')}"


def test_what_is_said_of_another_job_or_of_something_else_is_not_a_reason():
    it = job()
    others = [
        event(job(run="team-b.social"), QUOTA, "FailedCreate"),
        event(pod({}), QUOTA),
        event(it, "deleted", "SuccessfulDelete"),
    ]
    assert unmade(it, others) == ""


def test_a_job_that_has_given_up_says_so():
    failed = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "Job has reached its limit"}
    it = job(failed)
    said = "its Job has given up (BackoffLimitExceeded): Job has reached its limit"
    assert unmade(it, [event(it, QUOTA, "FailedCreate")]) == said
