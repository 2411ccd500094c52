{#
    What an incremental model has not read yet: the rows of `relation` in files added since the release that the
    build started from, or all of them when the model is built from nothing. `relation` is a silver source or a
    view that hands the source's `_new` on, row by row.

        select ... from {{ penstock_new(ref('stg_lines')) }}
#}
{% macro penstock_new(relation) -%}
    {%- if is_incremental() -%}
        (select * from {{ relation }} where _new)
    {%- else -%}
        {{ relation }}
    {%- endif -%}
{%- endmacro %}
