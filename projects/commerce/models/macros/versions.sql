{# A version holds from `valid_from` until before `valid_to`: the first also before it, the last for ever. #}
{% macro first_instant() -%} timestamptz '0001-01-01 00:00:00+00' {%- endmacro %}
{% macro last_instant() -%} timestamptz '9999-01-01 00:00:00+00' {%- endmacro %}
{% macro version_holds_from() -%} case when version = 1 then {{ first_instant() }} else valid_from end {%- endmacro %}
{% macro version_holds_to() -%} coalesce(valid_to, {{ last_instant() }}) {%- endmacro %}

{#
    Of a dimension with versions: `keys` and the spans in which another version than before holds, or one that says
    something else. One that merely begins or ends at another instant differs between the two instants alone.

        before  |--- a ---|--- b -------->
        after   |--- a ---|--- b --|- c ->
        spans                      |----->
#}
{% macro changed_spans(dimension, keys) -%}
    {%- set by = keys | join(', ') -%}
    select
        {{ by }},
        unnest([first_from, first_to]) as holds_from,
        unnest([case when is_kept then last_from else last_to end, last_to]) as holds_to
    from (
        select
            * exclude (version, valid_from, valid_to, is_current, holds_from, holds_to, _came),
            min(holds_from) as first_from,
            max(holds_from) as last_from,
            min(holds_to) as first_to,
            max(holds_to) as last_to,
            count(distinct _came) = 2 as is_kept
        from (
            select
                *,
                {{ version_holds_from() }} as holds_from,
                {{ version_holds_to() }} as holds_to
            from {{ penstock_changes(dimension) }}
        )
        group by all
    )
{%- endmacro %}

{#
    For a test: the versions of a `satellite` that begin at one moment with another of the same key, as the view has them.
    Rows are only ever added, and whether one holds at its moment is up to those of the same key and moment.
#}
{% macro versions_that_overlap(satellite, key) -%}
    with told as (

        select * from {{ penstock_tested(ref(satellite), [key, 'applied_at'], affected=ref(satellite)) }}

    )

    select {{ key }}, valid_from, count(*) as versions
    from ({{ vault_versions('told', key=key) }})
    group by {{ key }}, valid_from
    having count(*) > 1
{%- endmacro %}
