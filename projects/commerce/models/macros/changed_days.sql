{# The days whose rates came or went, in whatever zone they are days of: the one before and the one after too. #}
{% macro changed_days() -%}
    (
        select distinct rate_date + unnest([-1, 0, 1]) as day
        from {{ penstock_changes(source('silver', 'fx_rates')) }}
    )
{%- endmacro %}
