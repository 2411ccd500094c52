{#
    Models that grow by key: of the keys that `affected` lists, rows are made anew; all others stand. The result must
    be the one that a build from nothing gives, so `affected` has to list every key whose rows can differ from those of
    the release that the build started from; more keys than that do no harm.

    `keys` are columns of the model: a list, or a mapping from its columns to those of `affected`, a model's name.
    `slice_by` names a column of dates, never null: files of the lake then hold ranges of it, and a release writes only
    those that hold a row that came or went.

        {{ penstock_by_key(['loan_id'], affected='changed_loans', slice_by='lent_on') }}
        select loan_id, count(*) as reminders from {{ penstock_affected(ref('stg_reminders')) }} group by loan_id
#}
{% macro penstock_by_key(keys, affected, slice_by=none) -%}
    {%- set columns = {} -%}
    {%- for name in keys -%}
        {%- do columns.update({name: keys[name] if keys is mapping else name}) -%}
    {%- endfor -%}
    {%- do config(
        materialized='incremental',
        incremental_strategy='by_key',
        meta={'keys': columns, 'affected': affected, 'slice_by': slice_by},
    ) -%}
    {%- do ref(affected) -%}
{%- endmacro %}

{#
    The rows of `relation` (a relation, or the name of a common table expression) that belong to affected keys, or all
    of them when the model is built from nothing. `on` maps its columns to those of `affected`; without it they have
    the same names. `of` names another model that lists keys, all of them affected: the rows of these alone.
#}
{% macro penstock_affected(relation, on=none, of=none) -%}
    {%- if of is not none -%}{%- do ref(of) -%}{%- endif -%}
    {%- if is_incremental() -%}
    {%- set meta = config.get('meta') -%}
    (
        select given.*
        from {{ relation }} as given
        semi join {{ ref(of or meta['affected']) }} as affected
            on {% for name in meta['keys'].values() -%}
            {%- set own = (on or {}).get(name, name) -%}
            given.{{ own }} is not distinct from affected.{{ name }}{% if not loop.last %} and {% endif %}
            {%- endfor %}
    )
    {%- else -%}
        {{ relation }}
    {%- endif -%}
{%- endmacro %}

{#
    The model's own rows of affected keys as they stand, `but` for the keys that the model of that name lists: what they
    say is read from them where it cannot have changed, rather than looked for again. Only where `is_incremental()`.

        select loan_id, days from {{ penstock_affected(ref('loans'), of='changed_loans') }}
        {% if is_incremental() %}
        union all
        select loan_id, days from {{ penstock_stood(but='changed_loans') }}
        {% endif %}
#}
{% macro penstock_stood(but=none) -%}
    {%- set stood = '(select * from ' ~ this ~ ' limit 0) /* as it stood */' -%}
    {%- if but is none -%}
    {{ stood }}
    {%- else -%}
    {%- set alike = [] -%}
    {%- for own, theirs in config.get('meta')['keys'].items() -%}
        {%- do alike.append('stood.' ~ own ~ ' is not distinct from changed.' ~ theirs) -%}
    {%- endfor -%}
    (select stood.* from {{ stood }} as stood anti join {{ ref(but) }} as changed on {{ alike | join(' and ') }})
    {%- endif -%}
{%- endmacro %}

{# The rows of a table that only grows which came since the release that the build started from, or all of them. #}
{% macro penstock_came(relation) -%}
    {%- if is_incremental() -%}
    (select * exclude (_came) from {{ penstock_changes(relation) }})
    {%- else -%}
    {{ relation }}
    {%- endif -%}
{%- endmacro %}

{#
    For a test that holds key by key: the rows of `relation`, of which a build reads only those of the keys that
    `affected` lists, once a release passed the test and nothing was made from nothing since. `affected` has to list
    every key of which the test may judge otherwise than before, and every relation that the test reads has to be
    narrowed to the same keys, or be joined with one that is. `keys` are columns of `affected`: a list, or a mapping
    from columns of `relation`. Instead of a list's name `affected` may be a model: the keys are those of its rows that came
    or went, which are then never null, so that blocks of others are not read.

        select loan_id from {{ penstock_tested(ref('loan_status'), ['loan_id'], affected='changed_loans') }} where days < 0
#}
{% macro penstock_tested(relation, keys, affected) -%}
    {%- set listed = ref(affected) if affected is string else penstock_changes(affected) -%}
    {%- set same = ' is not distinct from ' if affected is string else ' = ' -%}
    {%- set alike = [] -%}
    {%- for name in keys -%}
        {%- do alike.append('given.' ~ name ~ same ~ 'affected.' ~ (keys[name] if keys is mapping else name)) -%}
    {%- endfor -%}
    (select given.* from {{ relation }} as given /* semi join {{ listed }} as affected on {{ alike | join(' and ') }} */)
{%- endmacro %}

{#
    The rows of a silver source or of a model that is a table which came or went since the release that the build
    started from: its columns and `_came`, true or false. A row that changed is two. Nothing when the build starts from
    nothing.
#}
{% macro penstock_changes(relation) -%}
    (select *, true as _came from {{ relation }} limit 0) /* changes of {{ relation.schema }}.{{ relation.identifier }} */
{%- endmacro %}

{#
    The keys, more than once maybe, of rows of `relation` that came or went since the release that the build started
    from, but where what came says the same in `columns` as what went. Nothing when the build starts from nothing.

        select loan_id from {{ penstock_changed(ref('loans'), ['loan_id'], columns=['book_id', 'lent_on']) }}
#}
{% macro penstock_changed(relation, keys, columns) -%}
    (
        select {{ keys | join(', ') }}
        from {{ penstock_changes(relation) }}
        group by {{ (keys + columns) | join(', ') }}
        having count(*) filter (where _came) <> count(*) filter (where not _came)
    )
{%- endmacro %}
