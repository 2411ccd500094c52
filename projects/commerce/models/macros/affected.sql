{#
    The rows of the model's affected keys of a dataset that has one row of each: those that came are read as what came,
    so the others alone are looked for in all there are. Every row that came has to be of an affected key.
#}
{% macro affected_rows(relation, source, columns) -%}
    {%- if is_incremental() -%}
    {%- set meta = config.get('meta') -%}
    {%- set key = meta['keys'].values() | list -%}
    (
        select {{ columns | join(', ') }}
        from {{ penstock_changes(source) }}
        where _came
        union all
        select {{ columns | join(', ') }}
        from {{ relation }} as given
        semi join (
            select others.*
            from {{ ref(meta['affected']) }} as others
            anti join (
                select {{ key | join(', ') }} from {{ penstock_changes(source) }} where _came
            ) as came
                on {% for name in key -%}
                others.{{ name }} is not distinct from came.{{ name }}{% if not loop.last %} and {% endif %}
                {%- endfor %}
        ) as others
            on {% for name in key -%}
            given.{{ name }} is not distinct from others.{{ name }}{% if not loop.last %} and {% endif %}
            {%- endfor %}
    )
    {%- else -%}
    (select {{ columns | join(', ') }} from {{ relation }})
    {%- endif -%}
{%- endmacro %}
