"""Each refusal of the command line: the state and the command that meet it, or why that can't be.

A key is how a site begins (see sites.py); a site that several sentences lead out of has several
cases.
"""

from __future__ import annotations

from collections.abc import Mapping

from tests.remedies.lab import Case

# Why a remedy is not run here
SIGN_IN = "it is about signing in to AWS, which nobody can here: tests/cloudtop/aws"
ADMINISTRATOR = "somebody else has to allow it first, then the same command is run again"
DECISION = "only the owner can decide it: nothing to type is right for everybody"
BY_HAND = "a file or a value of the owner's has to be changed by hand"
LOOK = "it is about a machine that can be looked at only; it names where"
LAG = "EC2 shows it a moment later: the same command, or a look, is all that there is to do"
WAIT = "it ends by waiting, and the same command is run again"
PLAYBOOK = "it hands on what a playbook said: tests/roles and make faults run those"
REAL = "it needs a machine that answers ssh: tests/machines and molecule have them"
AWS = "it is about a service of AWS as only AWS has it"
SYSTEM = "it needs a user of this computer who has no name or no home"
NOTHING = "it names no remedy"

TABLE: Mapping[str, Case | tuple[Case, ...] | str] = {
    # EC2 and its credentials
    "aws/client._sentence": Case("status --region eu-south-1", "region_off", ways=(1,)),
    "aws/client.check_region": (
        Case("status --region us-esat-1", wrong="us-esat-1"),
        Case("status --region qq-zzzzzzzz-9"),
    ),
    "aws/client.plain_errors: There are no AWS": Case("status --cloud aws", ways=(2,)),
    "aws/client.plain_errors: ….": SIGN_IN,
    "aws/client.plain_errors: Your AWS profile's session": SIGN_IN,
    "aws/client.plain_errors: Your AWS configuration": SIGN_IN,
    "aws/client.plain_errors: …": SIGN_IN,
    "aws/client.plain_errors: … could not": AWS,
    "aws/credentials.ask_for_code: Your AWS profile": SIGN_IN,
    "aws/credentials.ask_for_code: The code": SIGN_IN,
    "aws/credentials.keys": SIGN_IN,
    "aws/credentials._credentials": SIGN_IN,
    "aws/endpoint.refuse_rehearsal": Case("status --cloud aws", "endpoint", ways=(2,)),
    "aws/find._refuse_two": DECISION,
    "aws/instance_types.image_of": (
        Case("doctor -e cloudtop_image=ami-0123456789abcdef0"),
        Case("switch --image ami-0123456789abcdef0", "unbaked"),
    ),
    "aws/instance_types.fulfilling": DECISION,
    "aws/instance_types.check": (
        Case("prices m5d.4xlrge", wrong="m5d.4xlrge"),
        Case("prices zzz", wrong="zzz"),
    ),
    "aws/interruption.refuse_region": AWS,
    "aws/interruption.interrupt": AWS,
    "aws/interruption._begun": AWS,
    # Every command
    "command.confirm: … There is no terminal": Case("destroy", "machine"),
    "command.confirm: Nothing was changed": NOTHING,
    "command.enter": DECISION,
    "command.run_playbooks": NOTHING,
    "command.act": "it starts a cloud with machines: tests/cloudtop/test_remedies.py has the words",
    # Commands
    "commands/bake._cleared": PLAYBOOK,
    "commands/bake.run": LAG,
    "commands/bid.replay": BY_HAND,
    "commands/bid._source": Case("bid --history others.csv", "prices"),
    "commands/destroy.run: --delete-volume": Case("destroy --delete-volume two --yes", "volume"),
    "commands/destroy.run: The cloudtop … is still": LAG,
    "commands/destroy.run: …": ADMINISTRATOR,
    "commands/doctor.run": Case("doctor -e 'cloudtop_ssh_key={tmp}/a key'", "key"),
    "commands/orphans.replaced_volumes": Case("switch --delete-old other"),
    "commands/orphans.run": Case("orphans --delete --json"),
    "commands/prices.narrowed": Case("prices m5d.4xlarge --max-interruption 1"),
    "commands/prices._source: Either": Case("prices m5d.4xlarge --vcpus 4"),
    "commands/prices._source: EC2 alone": BY_HAND,
    "commands/provision.run": PLAYBOOK,
    "commands/rehearse.need_image": Case("rehearse", "unbaked", ways=(0,), instead=True),
    "commands/rehearse.run: --times": Case("rehearse --times 0", "machine"),
    "commands/rehearse.run: … is for the rehearsal": Case(
        "rehearse --no-notice --cloud aws", "machine", ways=(1,)
    ),
    "commands/rehearse.play_trace": REAL,
    "commands/rehearse.conclude": LOOK,
    "commands/rehearse.need_behavior": (
        Case("rehearse", "machine_that_stops"),
        Case("rehearse --stop", "machine", instead=True),
    ),
    "commands/restore.choose: There is no": Case("restore nope", "snapshot", instead=True),
    "commands/restore.choose: The snapshot": WAIT,
    "commands/restore.outcome": LAG,
    "commands/snapshot.run": LAG,
    "commands/switch.run: The cloudtop … has no volume": Case("switch --bid 0.7", instead=True),
    "commands/switch.run: A switch": Case("switch", "half_moved"),
    "commands/switch.check_architecture": Case("switch --type m6gd.large", "machine"),
    "commands/watch.run": Case("watch --every 0 --once", "machine"),
    # Logging in
    "login/pinned_machine.need_machine": (
        Case("ssh-config", instead=True),
        Case("ssh-config", "stopped", instead=True),
    ),
    "login/pinned_machine.log_in": Case("ssh", "unbaked", instead=True),
    "login/ssh_config._readable": BY_HAND,
    # The machine
    "machine/drill._prepare": REAL,
    "machine/save_work._save": REAL,
    "machine/save_work._agree": Case("destroy --yes", "machine"),
    "machine/trace.load": BY_HAND,
    "machine/trace._last": REAL,
    "machine/trace.__call__": REAL,
    "machine/watch._step": Case("watch --once", instead=True),
    "machine/watch.teller": Case('watch --once --notify "\'"', "machine"),
    # Money
    "money/bill_facts._prices": NOTHING,
    "money/budget.refuse: … The highest": (
        Case("provision -e cloudtop_monthly_budget=400"),
        # The highest bid that fits is below EC2's price
        Case("provision -e cloudtop_monthly_budget=50"),
        Case("provision", "budget_of_the_file"),
    ),
    "money/budget.refuse: … No bid": Case("provision -e cloudtop_monthly_budget=1"),
    "paths.home": SYSTEM,
    "playbooks/run.run: …": PLAYBOOK,
    "playbooks/run.one_at_a_time": WAIT,
    "playbooks/unreachable.lost": PLAYBOOK,
    # The checklist
    "preflight/account.region": Case("doctor --region eu-south-1", "region_off", ways=(1,)),
    "preflight/key._granted: The default key of EBS is your own (…), and EC2's role for spot has": (
        Case("doctor", "customer_key")
    ),
    "preflight/key._granted: The default key of EBS is your own (…), and EC2's role for spot, ": (
        Case("doctor", "customer_key_of_a_new_account")
    ),
    "preflight/key.check": "the rehearsal cloud's keys can't be disabled (docs/differences.md)",
    "preflight/key._refuse_denied": ADMINISTRATOR,
    "preflight/network.check: There is no": Case("doctor -e cloudtop_zone=us-east-1f", "no_subnet"),
    "preflight/network.check: The default": Case(
        "doctor -e cloudtop_zone=us-east-1a", "private_subnet"
    ),
    "preflight/permissions.check": Case("doctor", "no_roles"),
    "preflight/permissions._others_role": Case("doctor -e cloudtop_instance_profile=nope"),
    "preflight/plan._instance_type: cloudtop_instance": (
        Case("doctor -e cloudtop_instance_type=m5d.4xlrge", wrong="m5d.4xlrge"),
        Case("doctor -e cloudtop_instance_type=zz9.nano"),
    ),
    "preflight/plan._instance_type: EC2 does not sell": (
        "every type of the rehearsal cloud is sold as spot"
    ),
    "preflight/plan._see_zone": Case("doctor -e cloudtop_zone=us-east-1z", wrong="us-east-1z"),
    "preflight/plan._see_architecture": BY_HAND,
    "preflight/plan.check_date": Case("doctor -e cloudtop_valid_until=2020-01-01"),
    "preflight/plan.check_key: The ssh key": Case(
        "provision -e 'cloudtop_ssh_key={tmp}/a key'", "key"
    ),
    "preflight/plan.check_key: … has no private": Case(
        "provision -e cloudtop_ssh_key={tmp}/half", "public_key"
    ),
    "preflight/plan._zone: cloudtop_zone is": Case(
        "provision -e cloudtop_zone=us-east-1a", "volume", instead=True
    ),
    "preflight/plan._zone: … is not offered in": Case(
        "doctor -e cloudtop_instance_type=c3.xlarge -e cloudtop_zone=us-east-1d", wrong="us-east-1d"
    ),
    "preflight/plan._zone: … is offered in no": (
        "every type of the rehearsal cloud is offered somewhere"
    ),
    "preflight/plan.check_bid": Case("doctor -e cloudtop_bid=50"),
    "preflight/plan._same_processor": Case(
        "doctor -e cloudtop_instance_types=[m5d.4xlarge,m6gd.large]"
    ),
    "preflight/quota._refuse_used_up": Case("doctor", "quota_used_up", ways=(0,), instead=True),
    "preflight/quota.check": ADMINISTRATOR,
    "preflight/rehearsal.check": ADMINISTRATOR,
    "preflight/request.check": Case("doctor", "machine_without_request", plays=True),
    "preflight/spot_role.check": ADMINISTRATOR,
    "preflight/spot_role.make": ADMINISTRATOR,
    # Prices
    "prices/bid_check.notes": Case("doctor -e cloudtop_bid=0.01"),
    "prices/history.read": BY_HAND,
    "prices/picture.check: --save": Case(
        "prices m5d.4xlarge --history prices.csv --chart --save x.txt", "prices"
    ),
    "prices/picture.check: There is no directory": Case(
        "prices m5d.4xlarge --history prices.csv --chart --save new/x.svg", "prices"
    ),
    "prices/picture.save": NOTHING,
    "prices/source._not_offered": "every type of the rehearsal cloud has a price in each zone",
    "prices/source.number": Case("prices m5d.4xlarge --days 0"),
    "prices/source.of_file: … has no prices of … in": NOTHING,
    "prices/source.of_file: … has no prices of the": Case(
        "prices zzz --history prices.csv", "prices", wrong="zzz"
    ),
    "prices/source.of_ec2": Case("prices m5d.4xlarge --zone mars", ways=(0,)),
    "prices/source.refuse_future": BY_HAND,
    # Settings and clouds
    "settings/clouds.take_away": "a drill asks for it only where there is such a command",
    "settings/clouds.move_market": REAL,
    "settings/clouds._python": "it hands on what a command of the rehearsal cloud said",
    "settings/rules.check": "each row of the settings' rules: test_the_example_of_a_rule_leads_out",
    "settings/settings.load: -e": Case(
        "prices --history prices.csv -e novalue", "prices", wrong="novalue"
    ),
    "settings/settings.load: There is no setting": Case(
        "prices --history prices.csv -e cloudtop_bdi=1", "prices", wrong="cloudtop_bdi"
    ),
    "settings/settings.login_name": SYSTEM,
    "settings/yaml_text.read": BY_HAND,
    "settings/yaml_text._like": Case("prices --history prices.csv -e cloudtop_bid=0x10", "prices"),
    "settings/yaml_text.value": BY_HAND,
    "tools/acceptance/run.affordable": "it is a target of make, for AWS",
}
