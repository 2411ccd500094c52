{#
    What the tables of the vault have in common: rows are only ever added, so the model is incremental by appending,
    whatever its folder is configured to be. `loaded_at` and `record_source` tell how a row came, not what it says.
#}
{% macro vault_insert_only() -%}
    {%- do config(
        materialized='incremental',
        incremental_strategy='append',
        meta={'operational_columns': ['loaded_at', 'record_source']},
    ) -%}
{%- endmacro %}

{# Refuse columns that would bear a name of the vault's own. #}
{% macro vault_check_names(code, names) -%}
    {%- for name in names
        if name in ['applied_at', 'hash_diff', 'is_deleted', 'loaded_at', 'record_source', 'tenant', 'valid_from', 'valid_to']
    -%}
        {%- do exceptions.raise_compiler_error(
            'A column of `' ~ code ~ '` cannot be called `' ~ name ~ '`: the vault has one of that name. '
            ~ 'Give it another name in staging.'
        ) -%}
    {%- endfor -%}
{%- endmacro %}

{# A moment that has to be there: the build stops at a row without one. #}
{% macro vault_moment(column, what) -%}
    coalesce({{ column }}, error({{ "'A row has no " ~ what ~ ": its column " ~ column ~ " is null'" }}))
{%- endmacro %}

{#
    The rows that a model has not read yet, of all its sources together. `columns` are pairs of an expression and its
    name; rows whose `key` columns are all null are about nothing and left out.
#}
{% macro vault_arrived(sources, columns, key) -%}
    {%- for relation in ([sources] if sources is string or sources is mapping else sources) %}
    select
        {%- for expression, name in columns %}
        {{ expression }} as {{ name }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from {{ penstock_new(relation) }}
    {%- if key %}
    where {% for column in key %}{{ column }} is not null{% if not loop.last %} or {% endif %}{% endfor %}
    {%- endif %}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
{%- endmacro %}

{#
    Of the rows of `arrived` that share the `identity` columns the one loaded first, and of those only the ones that
    the table does not hold yet. Where `timed`, a row it holds is taken again when it turns out to have been loaded
    earlier: otherwise what was known at a time would depend on which of the two arrived first.
#}
{% macro vault_insert(arrived, identity, others, timed) %}
{{- vault_insert_only() -}}
with arrived as (
    {{- arrived }}
),

distinct_rows as (

    select
        {%- for name in identity %}
        {{ name }},
        {%- endfor %}
        {%- for name in others %}
        any_value({{ name }}) as {{ name }},
        {%- endfor %}
        min(loaded_at) as loaded_at,
        arg_min(record_source, row(loaded_at, record_source)) as record_source
    from arrived
    group by {{ identity | join(', ') }}

)

select
    {%- for name in identity + others %}
    {{ name }},
    {%- endfor %}
    loaded_at,
    record_source
from distinct_rows
{%- if is_incremental() %}
where not exists (
    select 1
    from {{ this }} as held
    where
        {%- for name in identity %}
        {% if not loop.first %}and {% endif %}held.{{ name }} = distinct_rows.{{ name }}
        {%- endfor %}
        {%- if timed %}
        and held.loaded_at <= distinct_rows.loaded_at
        {%- endif %}
)
{%- endif %}
{% endmacro %}
