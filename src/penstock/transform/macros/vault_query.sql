{# Whether an interval view's row held at `as_of`. #}
{% macro vault_holds(versions, as_of) -%}
    {{ versions }}.valid_from <= {{ as_of }}
    and ({{ versions }}.valid_to is null or {{ as_of }} < {{ versions }}.valid_to)
    and not {{ versions }}.is_deleted
{%- endmacro %}

{#
    A point-in-time table: for each moment of `dates` (a relation with a column as_of) and each key that was there,
    which version of each satellite held. `satellites` are interval views by name. Columns: as_of, `key`, and
    `<name>_valid_from` each, null where that satellite says nothing; (key, valid_from) finds the version.

        {{ vault_pit('member_hk', satellites={'details': ref('member_versions')}, dates=ref('month_ends')) }}
#}
{% macro vault_pit(key, satellites, dates) -%}
with dates as (

    select distinct as_of from {{ dates }}

),

holding as (
    {%- for name, versions in satellites.items() %}

    select
        dates.as_of,
        versions.{{ key }},
        versions.valid_from as {{ name }}_valid_from
    from dates
    join {{ versions }} as versions
        on {{ vault_holds('versions', 'dates.as_of') }}
    {%- if not loop.last %}

    union all by name
    {%- endif %}
    {%- endfor %}

)

select
    as_of,
    {{ key }},
    {%- for name in satellites %}
    max({{ name }}_valid_from) as {{ name }}_valid_from{% if not loop.last %},{% endif %}
    {%- endfor %}
from holding
group by as_of, {{ key }}
{%- endmacro %}

{#
    A bridge: for each moment of `dates` the keys that a path of relations joins. A hop is an interval view of an
    effectivity satellite (`relation`), the columns it gives (`keys`) and, from the second on, the columns it is
    joined `on`, given by a hop before. An `optional` hop may be missing: its keys are null then. A `timeless` one is
    a link: it holds at all times. Columns: as_of and all keys.

        {{ vault_bridge(dates=ref('month_ends'), hops=[
            {'relation': ref('loan_versions'), 'keys': ['loan_hk', 'book_hk', 'member_hk']},
            {'relation': ref('book_shelf_versions'), 'on': ['book_hk'], 'keys': ['shelf_hk'], 'optional': true},
        ]) }}
#}
{% macro vault_bridge(hops, dates) -%}
    {%- set giver = {} -%}
with dates as (

    select distinct as_of from {{ dates }}

)

select
    dates.as_of
    {%- for hop in hops %}
    {%- set outer = loop.index %}
    {%- for name in hop['keys'] %},
    hop_{{ outer }}.{{ name }}
    {%- endfor %}
    {%- endfor %}
from dates
{%- for hop in hops %}
{%- set alias = 'hop_' ~ loop.index %}
{% if hop.get('optional') %}left {% endif %}join {{ hop['relation'] }} as {{ alias }}
    on
    {%- for name in hop.get('on', []) %} {{ alias }}.{{ name }} = {{ giver[name] }}.{{ name }} and{% endfor %}
    {% if hop.get('timeless') %}true{% else %}{{ vault_holds(alias, 'dates.as_of') }}{% endif %}
    {%- for name in hop['keys'] %}{% do giver.update({name: alias}) %}{% endfor %}
{%- endfor %}
{%- endmacro %}
