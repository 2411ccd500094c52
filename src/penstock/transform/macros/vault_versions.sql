{# Which rows count: those applied and those loaded up to a moment, both included. #}
{% macro vault_until(applied, loaded) -%}
    true
    {%- if applied is not none %} and applied_at <= {{ applied }}{% endif %}
    {%- if loaded is not none %} and loaded_at <= {{ loaded }}{% endif %}
{%- endmacro %}

{#
    The snapshots that miss a key that was there before: `evidence` (key, tenant, applied_at) says when it was. Of the
    snapshots that follow one another without the key only the first is given. A snapshot is a tenant's.
#}
{% macro vault_absences(evidence, tracking, key, applied, loaded) -%}
    select distinct
        evidence.{{ key }},
        evidence.tenant,
        snapshots.applied_at,
        snapshots.loaded_at
    from ({{ evidence }}) as evidence
    asof join (
        select tenant, applied_at, min(loaded_at) as loaded_at
        from {{ tracking }}
        where {{ vault_until(applied, loaded) }}
        group by tenant, applied_at
    ) as snapshots
        on evidence.tenant = snapshots.tenant and evidence.applied_at < snapshots.applied_at
    where not exists (
        select 1
        from {{ tracking }} as present
        where
            present.{{ key }} = evidence.{{ key }}
            and present.tenant = snapshots.tenant
            and present.applied_at = snapshots.applied_at
            {%- if loaded is not none %}
            and present.loaded_at <= {{ loaded }}
            {%- endif %}
    )
{%- endmacro %}

{#
    The rows of a satellite that count, and where there is record tracking a deletion for every absence; its hash diff
    is empty, so that a version of the same moment outranks it.
#}
{% macro vault_events(satellite, key, driving, tracking, applied, loaded) -%}
    select * from {{ satellite }} where {{ vault_until(applied, loaded) }}
    {%- if tracking is not none -%}
    {%- set evidence -%}
        select {{ key }}, tenant, applied_at from {{ satellite }}
        where {{ vault_until(applied, loaded) }}
        union
        select {{ key }}, tenant, applied_at from {{ tracking }}
        where {{ key }} <> {{ vault_unknown_key() }} and {{ vault_until(applied, loaded) }}
    {%- endset %}
    union all by name
    select
        absences.*,
        {%- for name in driving if name != key %}
        held.{{ name }},
        {%- endfor %}
        '' as hash_diff,
        true as is_deleted
    from ({{ vault_absences(evidence, tracking, key, applied, loaded) }}) as absences
    {%- if driving != [key] %}
    join (
        select
            {{ key }}{% for name in driving if name != key %}, any_value({{ name }}) as {{ name }}{% endfor %}
        from {{ satellite }}
        group by {{ key }}
    ) as held
        on absences.{{ key }} = held.{{ key }}
    {%- endif %}
    {%- endif %}
{%- endmacro %}

{#
    The intervals of a satellite: each version with valid_from (its applied time, included) and valid_to (excluded;
    null for ever). Of versions applied at the same moment the one with the highest hash diff holds, the others never
    did and are not shown. A deletion is a row with is_deleted; with `tracking`, so is the first snapshot that misses
    the key, with nulls for what is not known.

    `applied` and `loaded` leave out what is applied or was loaded after a moment. `driving` names the columns of
    which a relation can hold only once at a time: a new one ends the one before, and the end of one that does not
    hold any more ends nothing. `changes_only` joins versions that follow one another and say the same.

        {{ vault_versions(ref('sat_member'), key='member_hk') }}
#}
{% macro vault_versions(
    satellite, key, driving=none, tracking=none, applied=none, loaded=none, changes_only=false
) -%}
    {%- set whole = [key] if driving is none else driving -%}
    {%- set partition = 'partition by ' ~ (whole if whole == [key] else ['tenant'] + whole) | join(', ') -%}
    {%- set in_order = partition ~ ' order by applied_at, hash_diff, loaded_at desc' -%}
    {%- set rows = 'events' -%}
with events as (

    {{ vault_events(satellite, key, whole, tracking, applied, loaded) }}

),
{%- if whole != [key] or tracking is not none %}
{%- set rows = 'telling' %}

followed as (

    select
        *,
        last_value(case when not is_deleted then {{ key }} end ignore nulls)
            over ({{ in_order }} rows between unbounded preceding and 1 preceding) as holder,
        lag(is_deleted, 1, true) over ({{ in_order }}) as was_deleted
    from events

),

telling as (

    select * exclude (holder, was_deleted)
    from followed
    where
        {%- if whole != [key] %}
        not is_deleted or {{ key }} = holder
        {%- else %}
        hash_diff <> '' or not was_deleted
        {%- endif %}

),
{%- endif %}

bounded as (

    select
        *,
        lead(applied_at) over ({{ in_order }}) as valid_to
    from {{ rows }}

),

versions as (

    select * rename (applied_at as valid_from)
    from bounded
    where valid_to is null or applied_at < valid_to

)
{%- if changes_only %},

compared as (

    select
        * exclude (valid_to),
        lag(case when is_deleted then '' else hash_diff end) over ({{ partition }} order by valid_from) as said
    from versions

),

changes as (

    select * exclude (said)
    from compared
    where said is distinct from case when is_deleted then '' else hash_diff end

)

select
    *,
    lead(valid_from) over ({{ partition }} order by valid_from) as valid_to
from changes
{%- else %}

select * from versions
{%- endif %}
{%- endmacro %}

{#
    What holds at a moment, as far as it was known at another: the satellite's rows, one for each key (or driving
    key) that was there, with valid_from; to be read from. Without `applied` the last there is, without `loaded` all
    that is known.

        select name from {{ vault_as_of(ref('sat_member'), key='member_hk', applied="timestamptz '2026-01-31 00:00Z'") }}
#}
{% macro vault_as_of(satellite, key, driving=none, tracking=none, applied=none, loaded=none) -%}
{%- if driving is none and tracking is none -%}
(
    select * exclude (is_deleted) rename (applied_at as valid_from)
    from (
        select *
        from {{ satellite }}
        where {{ vault_until(applied, loaded) }}
        qualify row_number() over (partition by {{ key }} order by applied_at desc, hash_diff desc, loaded_at) = 1
    )
    where not is_deleted
)
{%- else -%}
(
    select * exclude (is_deleted, valid_to)
    from ({{ vault_versions(satellite, key, driving=driving, tracking=tracking, applied=applied, loaded=loaded) }})
    where valid_to is null and not is_deleted
)
{%- endif -%}
{%- endmacro %}

{#
    Deletion tracking: when a key went missing from the full snapshots (deleted_at) and when it came back
    (restored_at, null when it did not), from record tracking alone.

        {{ vault_deletions(ref('trk_member'), key='member_hk') }}
#}
{% macro vault_deletions(tracking, key, applied=none, loaded=none) -%}
    {%- set evidence -%}
        select {{ key }}, tenant, applied_at
        from {{ tracking }}
        where {{ key }} <> {{ vault_unknown_key() }} and {{ vault_until(applied, loaded) }}
    {%- endset -%}
with sightings as (

    {{ evidence }}

),

absences as (

    {{ vault_absences(evidence, tracking, key, applied, loaded) }}

)

select
    absences.{{ key }},
    absences.tenant,
    absences.applied_at as deleted_at,
    sightings.applied_at as restored_at,
    absences.loaded_at
from absences
asof left join sightings
    on absences.{{ key }} = sightings.{{ key }} and absences.applied_at < sightings.applied_at
{%- endmacro %}
