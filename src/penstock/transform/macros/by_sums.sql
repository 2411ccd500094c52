{#
    Models that are sums: what came and went is added to what stands, and nothing else is read. `keys` are the columns
    by which is summed; every other column is a sum or a count of exact numbers, 0 where there is nothing to add, and
    `counted` names the one that counts the rows, for a key without any has no row. The result is then the one that a
    build from nothing gives. `slice_by` is that of `penstock_by_key`.

        {{ penstock_by_sums(['country', 'day'], counted='lines') }}
        select
            country,
            cast(invoice_time as date) as day,
            {{ penstock_count() }} as lines,
            coalesce(sum({{ penstock_signed('quantity') }}), 0) as pieces
        from {{ penstock_moves(source('silver', 'order_lines')) }}
        group by country, day
#}
{% macro penstock_by_sums(keys, counted, slice_by=none) -%}
    {%- set columns = {} -%}
    {%- for name in keys -%}
        {%- do columns.update({name: name}) -%}
    {%- endfor -%}
    {%- do config(
        materialized='incremental',
        incremental_strategy='by_sums',
        meta={'keys': columns, 'counted': counted, 'slice_by': slice_by},
    ) -%}
{%- endmacro %}

{# A number of a row of `penstock_moves` as it is to be summed: what went is taken away. #}
{% macro penstock_signed(number) -%}
    {%- if is_incremental() -%} ({{ number }}) * _sign {%- else -%} {{ number }} {%- endif -%}
{%- endmacro %}

{# How many rows of `penstock_moves` came, less those that went. #}
{% macro penstock_count() -%}
    {%- if is_incremental() -%} sum(_sign) {%- else -%} count(*) {%- endif -%}
{%- endmacro %}

{# The rows of a silver source or of a table to be summed: those that came and those that went, or all. #}
{% macro penstock_moves(relation) -%}
    {%- if is_incremental() -%}
    (select * exclude (_came), case when _came then 1 else -1 end as _sign from {{ penstock_changes(relation) }})
    {%- else -%}
    {{ relation }}
    {%- endif -%}
{%- endmacro %}

{#
    The rows of `relation` to be summed beside `columns` of the row of `other` that agrees in the columns `on`: what came
    and went beside what is there, and what was there beside what came and went. Of each row there has to be just one of
    `other`, so what was there is read only where one went.
#}
{% macro penstock_moves_beside(relation, other, on, columns) -%}
    {%- set alike = [] -%}
    {%- for name in on -%}
        {%- do alike.append('given.' ~ name ~ ' = beside.' ~ name) -%}
    {%- endfor -%}
    {%- set says = (on + columns) | join(', ') -%}
    {%- set shown = 'beside.' ~ (columns | join(', beside.')) -%}
    (
        select given.*, {{ shown }}
        from {{ penstock_moves(relation) }} as given
        inner join {{ other }} as beside on {{ alike | join(' and ') }}
        {%- if is_incremental() %}
        union all by name
        select given.* exclude (_sign), given._sign * beside._sign as _sign, {{ shown }}
        from (
            select *, 1 as _sign from {{ relation }}
            union all by name
            select * exclude (_sign), -_sign as _sign from {{ penstock_moves(relation) }}
        ) as given
        inner join (
            select {{ says }}, cast(sum(_sign) as integer) as _sign
            from {{ penstock_moves(other) }}
            group by {{ says }}
            having sum(_sign) <> 0
            qualify min(sum(_sign)) over (partition by {{ on | join(', ') }}) < 0
        ) as beside on {{ alike | join(' and ') }}
        {%- endif %}
    )
{%- endmacro %}
